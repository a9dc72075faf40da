//! The importer: takes inputs on a thread of its own and drives the line of an add: cutter, crew, assembler.

use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TryRecvError;

use super::assembler::Assembler;
use super::chunk::{Chunk, MadeLeaf, Maker};
use super::cutter::{Cutter, Step, Steps};
use super::{AddError, AddEvent, AddInput, AddOptions};
use crate::Node;
use crate::crew::Crew;

/// Bytes given to the crew as one job: an eighth of a millisecond of hashing, far more than handing it over costs.
const JOB_BYTES: usize = 256 * 1024;
/// Steps of one job: small files are mostly steps.
const JOB_STEPS_MAX: usize = 256;
/// Bytes under way in the crew. Little enough to stay in the processor's cache until the disk takes them.
const CREW_BYTES_MAX: usize = 8 * 1024 * 1024;
/// What a step weighs beside its bytes.
const STEP_BYTES: usize = 512;

type Job = Vec<Step<Chunk>>;
type Made = Result<Vec<Step<MadeLeaf>>, AddError>;

pub(super) struct Importer {
    cutter: Cutter,
    line: Line,
}

/// What is behind the cutter.
struct Line {
    crew: Crew<Job, Made>,
    /// Steps of the next job.
    job: Job,
    job_bytes: usize,
    assembler: Assembler,
}

impl Importer {
    pub(super) fn new(
        node: Node,
        options: AddOptions,
        events: mpsc::Sender<Result<Vec<AddEvent>, AddError>>,
    ) -> Self {
        let cutter = Cutter::new(&options);
        let store = (!options.only_hash).then(|| node.store().clone());
        let maker = Maker { buffers: Default::default(), store, counters: node.inner.adds.clone() };
        let make = move |job: Job| job.into_iter().map(|step| step.map(|chunk| maker.make(chunk))).collect();
        let assembler = Assembler::new(node, options, events);
        Self { cutter, line: Line { crew: Crew::new(make), job: Vec::new(), job_bytes: 0, assembler } }
    }

    /// Works until the last input, the first error, or until the door is gone.
    pub(super) fn run(mut self, mut inputs: mpsc::Receiver<Vec<AddInput>>) {
        // What is written stays out of a collection until it is pinned.
        let _keep = self.line.assembler.keep_pin();
        if let Err(error) = self.take_all(&mut inputs) {
            self.line.assembler.fail(error);
        }
    }

    fn take_all(&mut self, inputs: &mut mpsc::Receiver<Vec<AddInput>>) -> Result<(), AddError> {
        loop {
            let batch = match inputs.try_recv() {
                Ok(batch) => batch,
                Err(TryRecvError::Disconnected) => return Ok(()),
                // Nothing to cut for now: what is known so far is told before the wait.
                Err(TryRecvError::Empty) => {
                    self.line.drain()?;
                    self.line.assembler.flush()?;
                    match inputs.blocking_recv() {
                        Some(batch) => batch,
                        None => return Ok(()),
                    }
                }
            };
            for input in batch {
                let finish = matches!(input, AddInput::Finish);
                self.cutter.take(input, &mut self.line)?;
                if finish {
                    self.line.drain()?;
                    return self.line.assembler.finish();
                }
            }
        }
    }
}

impl Steps for Line {
    fn step(&mut self, step: Step<Chunk>) -> Result<(), AddError> {
        self.job_bytes += STEP_BYTES;
        if let Step::Leaf(chunk) = &step {
            self.job_bytes += chunk.bytes();
        }
        self.job.push(step);
        if self.job_bytes >= JOB_BYTES || self.job.len() >= JOB_STEPS_MAX { self.hand_out() } else { Ok(()) }
    }
}

impl Line {
    fn hand_out(&mut self) -> Result<(), AddError> {
        // A large file brings no inputs for long; a door that is gone must end it nevertheless.
        if self.assembler.door_is_gone() {
            return Err(AddError::Gone);
        }
        self.crew.push(std::mem::take(&mut self.job), std::mem::take(&mut self.job_bytes));
        while self.crew.weight() > CREW_BYTES_MAX {
            self.assemble()?;
        }
        Ok(())
    }

    /// Takes the oldest job's leaves.
    fn assemble(&mut self) -> Result<(), AddError> {
        let made = self.crew.take().ok_or(AddError::Lost)??;
        made.into_iter().try_for_each(|step| self.assembler.step(step))
    }

    fn drain(&mut self) -> Result<(), AddError> {
        if !self.job.is_empty() {
            self.hand_out()?;
        }
        while !self.crew.is_empty() {
            self.assemble()?;
        }
        Ok(())
    }
}
