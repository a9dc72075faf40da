//! The framing: finds boundaries in bytes that come in pieces of any size.

use bytes::{Buf, Bytes, BytesMut};
use memchr::memmem::Finder;

use super::{MultipartError, PartHead};

/// Text before the first boundary that is skipped.
const PREAMBLE_BYTES_MAX: usize = 64 * 1024;
/// All header lines of one part together.
const HEADER_BYTES_MAX: usize = 64 * 1024;

/// What the parser finds, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PartEvent {
    /// A part begins.
    Begin(PartHead),
    /// More of its content; never empty.
    Data(Bytes),
    /// Its content is complete.
    End,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Before the first boundary.
    Preamble,
    /// In a part's header.
    Header,
    /// At the first byte of a part's content, where a boundary needs no line end before it.
    Start,
    /// In a part's content.
    Content,
    /// Behind a boundary, on the same line.
    Behind,
    /// After the last boundary; what follows is ignored.
    Finished,
}

/// A push parser: bytes in, events out.
pub(crate) struct Parser {
    /// Line end, two dashes and the boundary.
    delimiter: Vec<u8>,
    finder: Finder<'static>,
    state: State,
    /// Bytes that came in and are not looked at yet.
    pending: Bytes,
    /// The line that is being read, in states that read lines.
    line: Vec<u8>,
    /// Bytes of lines read in this state.
    lines_bytes: usize,
    /// Header lines of the part that begins.
    header: Vec<String>,
}

impl Parser {
    pub(crate) fn new(boundary: &str) -> Self {
        let delimiter = format!("\r\n--{boundary}").into_bytes();
        Self {
            finder: Finder::new(&delimiter).into_owned(),
            delimiter,
            state: State::Preamble,
            pending: Bytes::new(),
            line: Vec::new(),
            lines_bytes: 0,
            header: Vec::new(),
        }
    }

    /// Takes bytes in. Call [`Parser::next`] until it returns `None` before the next bytes.
    pub(crate) fn feed(&mut self, bytes: Bytes) {
        if self.pending.is_empty() {
            self.pending = bytes;
        } else {
            // What is left is shorter than a boundary, and happens only where content looks like one.
            let mut joined = BytesMut::with_capacity(self.pending.len() + bytes.len());
            joined.extend_from_slice(&self.pending);
            joined.extend_from_slice(&bytes);
            self.pending = joined.freeze();
        }
    }

    /// The next event, or `None` where more bytes are needed.
    pub(crate) fn next(&mut self) -> Result<Option<PartEvent>, MultipartError> {
        loop {
            match self.state {
                State::Finished => {
                    self.pending.clear();
                    return Ok(None);
                }
                State::Preamble => {
                    let Some(line) = self.take_line(PREAMBLE_BYTES_MAX)? else { return Ok(None) };
                    if let Some(rest) = line.strip_prefix(&self.delimiter[2..]) {
                        self.behind(rest)?;
                    }
                }
                State::Behind => {
                    let Some(line) = self.take_line(HEADER_BYTES_MAX)? else { return Ok(None) };
                    self.behind(&line)?;
                }
                State::Header => {
                    let Some(line) = self.take_line(HEADER_BYTES_MAX)? else { return Ok(None) };
                    if let Some(head) = self.header_line(&line)? {
                        return Ok(Some(PartEvent::Begin(head)));
                    }
                }
                State::Start => match self.at_start() {
                    Some(true) => return Ok(Some(PartEvent::End)),
                    Some(false) => self.state = State::Content,
                    None => return Ok(None),
                },
                State::Content => return Ok(self.content()),
            }
        }
    }

    /// Says that no more bytes come.
    pub(crate) fn finish(&mut self) -> Result<(), MultipartError> {
        // The last boundary may lack its line end.
        if self.state == State::Behind && self.line.starts_with(b"--") {
            self.state = State::Finished;
        }
        if self.state == State::Preamble && self.line.strip_prefix(&self.delimiter[2..]) == Some(b"--") {
            self.state = State::Finished;
        }
        if self.state == State::Finished { Ok(()) } else { Err(MultipartError::Truncated) }
    }

    /// A whole line without its end, or `None` where it is not complete yet.
    fn take_line(&mut self, bytes_max: usize) -> Result<Option<Vec<u8>>, MultipartError> {
        let end = memchr::memchr(b'\n', &self.pending);
        let taken = end.map_or(self.pending.len(), |end| end + 1);
        self.lines_bytes += taken;
        if self.lines_bytes > bytes_max {
            return Err(MultipartError::HeaderTooLong);
        }
        self.line.extend_from_slice(&self.pending[..taken]);
        self.pending.advance(taken);
        if end.is_none() {
            return Ok(None);
        }
        let mut line = std::mem::take(&mut self.line);
        line.pop();
        line.pop_if(|last| *last == b'\r');
        Ok(Some(line))
    }

    /// Looks at what stands behind a boundary: two dashes end the upload, only blanks begin a part.
    fn behind(&mut self, rest: &[u8]) -> Result<(), MultipartError> {
        self.lines_bytes = 0;
        self.state = if rest.starts_with(b"--") {
            State::Finished
        } else if rest.iter().all(|byte| matches!(byte, b' ' | b'\t')) {
            State::Header
        } else if self.state == State::Preamble {
            // Another boundary that starts like ours.
            State::Preamble
        } else {
            return Err(MultipartError::Boundary);
        };
        Ok(())
    }

    /// Takes a header line; the empty one completes the header.
    fn header_line(&mut self, line: &[u8]) -> Result<Option<PartHead>, MultipartError> {
        let text = String::from_utf8_lossy(line).into_owned();
        if !text.is_empty() {
            self.header.push(text);
            return Ok(None);
        }
        self.lines_bytes = 0;
        self.state = State::Start;
        PartHead::read(&std::mem::take(&mut self.header)).map(Some)
    }

    /// Whether a boundary stands at once where content should begin; `None` where that can't be told yet.
    fn at_start(&mut self) -> Option<bool> {
        let dashes = &self.delimiter[2..];
        if self.pending.len() >= dashes.len() {
            let empty = self.pending.starts_with(dashes);
            if empty {
                self.pending.advance(dashes.len());
                self.state = State::Behind;
            }
            Some(empty)
        } else if dashes.starts_with(&self.pending) {
            None
        } else {
            Some(false)
        }
    }

    /// The content up to the next boundary, or as much of it as is certain.
    fn content(&mut self) -> Option<PartEvent> {
        match self.finder.find(&self.pending) {
            Some(0) => {
                self.pending.advance(self.delimiter.len());
                self.state = State::Behind;
                Some(PartEvent::End)
            }
            Some(end) => Some(PartEvent::Data(self.pending.split_to(end))),
            None => {
                let certain = self.pending.len() - self.possible_delimiter();
                (certain > 0).then(|| PartEvent::Data(self.pending.split_to(certain)))
            }
        }
    }

    /// Bytes at the end of what is pending that may be the start of a boundary.
    fn possible_delimiter(&self) -> usize {
        let longest = self.pending.len().min(self.delimiter.len() - 1);
        let tail = &self.pending[self.pending.len() - longest..];
        // Only a carriage return starts a delimiter, and its boundary holds none.
        memchr::memrchr(b'\r', tail).map_or(0, |start| {
            let candidate = &tail[start..];
            if self.delimiter.starts_with(candidate) { candidate.len() } else { 0 }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::multipart::PartKind;

    /// Everything in `body`, cut at the given places.
    fn parse(body: &[u8], cuts: &[usize]) -> Result<Vec<(PartHead, Vec<u8>)>, MultipartError> {
        let mut parser = Parser::new("XX");
        let mut parts: Vec<(PartHead, Vec<u8>)> = Vec::new();
        let mut open = false;
        let mut rest = Bytes::copy_from_slice(body);
        let mut cuts = cuts.iter();
        while !rest.is_empty() {
            let cut = cuts.next().map_or(rest.len(), |cut| cut % rest.len() + 1);
            parser.feed(rest.split_to(cut));
            while let Some(event) = parser.next()? {
                match event {
                    PartEvent::Begin(head) => {
                        assert!(!open);
                        open = true;
                        parts.push((head, Vec::new()));
                    }
                    PartEvent::Data(data) => {
                        assert!(open && !data.is_empty());
                        parts.last_mut().unwrap().1.extend_from_slice(&data);
                    }
                    PartEvent::End => {
                        assert!(open);
                        open = false;
                    }
                }
            }
        }
        parser.finish()?;
        Ok(parts)
    }

    fn part(name: &str, content: &[u8]) -> Vec<u8> {
        let mut out =
            format!("--XX\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n")
                .into_bytes();
        out.extend_from_slice(b"Content-Type: application/octet-stream\r\n\r\n");
        out.extend_from_slice(content);
        out.extend_from_slice(b"\r\n");
        out
    }

    fn upload(contents: &[Vec<u8>]) -> Vec<u8> {
        let mut out: Vec<u8> =
            contents.iter().enumerate().flat_map(|(n, content)| part(&format!("f{n}"), content)).collect();
        out.extend_from_slice(b"--XX--\r\n");
        out
    }

    #[test]
    fn reads_parts_at_every_cut() {
        let contents: Vec<Vec<u8>> =
            [&b""[..], b"hello", b"\r\n", b"\r\n--X", b"--XY", b"\r", b"a\r\n--XY\r\n-"]
                .map(<[u8]>::to_vec)
                .to_vec();
        let body = upload(&contents);
        for cut in 0..body.len() {
            let parts = parse(&body, &[cut]).unwrap();
            let read: Vec<_> = parts.into_iter().map(|(_, content)| content).collect();
            assert_eq!(read, contents, "cut at {cut}");
        }
        let ones = vec![0; body.len()];
        assert_eq!(parse(&body, &ones).unwrap().len(), contents.len());
    }

    #[test]
    fn any_content_at_any_cuts() {
        bolero::check!().with_type::<(Vec<Vec<u8>>, Vec<usize>)>().for_each(|(contents, cuts)| {
            let marker = b"\r\n--XX";
            if contents.iter().any(|content| {
                content.starts_with(b"--XX") || content.windows(marker.len()).any(|window| window == marker)
            }) {
                return;
            }
            let parts = parse(&upload(contents), cuts).unwrap();
            let read: Vec<_> = parts.into_iter().map(|(_, content)| content).collect();
            assert_eq!(&read, contents);
        });
    }

    #[test]
    fn hostile_bytes_never_panic_and_cuts_never_matter() {
        bolero::check!().with_type::<(Vec<u8>, Vec<usize>)>().for_each(|(noise, cuts)| {
            for body in [
                noise.clone(),
                [b"--XX\r\n", noise.as_slice()].concat(),
                [&part("f", noise)[..], noise].concat(),
            ] {
                assert_eq!(parse(&body, cuts), parse(&body, &[]));
            }
        });
    }

    #[test]
    fn truncated_uploads_are_refused() {
        let body = upload(&[b"hello".to_vec()]);
        for end in 0..body.len() - 4 {
            assert_eq!(parse(&body[..end], &[]).unwrap_err(), MultipartError::Truncated, "{end}");
        }
        assert!(parse(&body[..body.len() - 2], &[]).is_ok(), "the last line end may be missing");
    }

    #[test]
    fn a_preamble_is_skipped_and_an_epilogue_ignored() {
        let body = [b"skip\r\n--XXX\r\n", &upload(&[b"x".to_vec()])[..], b"epilogue"].concat();
        let parts = parse(&body, &[]).unwrap();
        assert_eq!((parts.len(), parts[0].0.kind), (1, PartKind::File));
        assert_eq!(parse(b"--XX--", &[]).unwrap(), []);
    }

    #[test]
    fn headers_are_bounded() {
        let mut body = b"--XX\r\n".to_vec();
        body.extend(std::iter::repeat_n(b'a', HEADER_BYTES_MAX + 1));
        assert_eq!(parse(&body, &[]).unwrap_err(), MultipartError::HeaderTooLong);
        let long = vec![b'a'; PREAMBLE_BYTES_MAX + 1];
        assert_eq!(parse(&long, &[]).unwrap_err(), MultipartError::HeaderTooLong);
    }
}
