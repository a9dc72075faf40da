//! The status page: plain files inside the binary, no build step. The page asks the RPC beside it.

/// A file of the page.
pub(crate) struct Asset {
    /// Its content type.
    pub(crate) content_type: &'static str,
    /// Its bytes.
    pub(crate) bytes: &'static [u8],
}

/// The file at a path below `/webui`, if there is one.
pub(crate) fn asset(path: &str) -> Option<Asset> {
    let (content_type, text) = match path.strip_prefix("/webui")? {
        "/" => ("text/html; charset=utf-8", include_str!("../webui/index.html")),
        "/status.js" => ("text/javascript; charset=utf-8", include_str!("../webui/status.js")),
        "/format.js" => ("text/javascript; charset=utf-8", include_str!("../webui/format.js")),
        "/status.css" => ("text/css; charset=utf-8", include_str!("../webui/status.css")),
        _ => return None,
    };
    Some(Asset { content_type, bytes: text.as_bytes() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_names_only_files_that_are_there() {
        let page = std::str::from_utf8(asset("/webui/").unwrap().bytes).unwrap();
        let named: Vec<_> = page.split('"').filter(|text| text.starts_with("./")).collect();
        assert_eq!(named.len(), 2);
        for name in named {
            assert!(asset(&format!("/webui/{}", &name[2..])).is_some(), "{name}");
        }
        assert!(asset("/webui/../secret").is_none());
        assert!(asset("/elsewhere").is_none());
    }
}
