//! Checks that what pins promise is here.

use futures::StreamExt;
use ipse_base::Cid;
use ipse_store::PinMode;

use super::walk;
use crate::fetch::Stream;
use crate::leaves::LEAVES_TOGETHER;
use crate::{Node, ReadError};

impl Node {
    /// Walks each recursive pin and tells what is missing below it.
    pub fn pin_verify(&self) -> Stream<(Cid, Vec<Cid>)> {
        let node = self.clone();
        let check = move |pin: Result<ipse_store::Pin, ipse_store::IndexError>| {
            let node = node.clone();
            async move {
                let root = pin.map_err(ReadError::plan)?.cid;
                let missing = node.missing_below(&root).await?;
                Ok((root, missing))
            }
        };
        crate::blocking::stream(self.store().pins(Some(PinMode::Recursive)), |pin| pin).then(check).boxed()
    }

    async fn missing_below(&self, root: &Cid) -> Result<Vec<Cid>, ReadError> {
        let mut missing = Vec::new();
        let source = self.source().own();
        let mut batches = walk(&source, vec![root.clone()], true).chunks(LEAVES_TOGETHER);
        while let Some(visits) = batches.next().await {
            let mut named = Vec::with_capacity(visits.len());
            for visit in visits {
                let visit = visit?;
                match visit.block {
                    Some(_) => {}
                    None if visit.absent => missing.push(visit.cid),
                    None => named.push(visit.cid),
                }
            }
            let store = self.store().clone();
            let looked = tokio::task::spawn_blocking(move || {
                let known = store.look_up(&named)?;
                Ok::<_, ipse_store::IndexError>(named.into_iter().zip(known))
            });
            let looked = looked.await.map_err(|_| ReadError::Stopping)?.map_err(ReadError::plan)?;
            missing.extend(looked.filter(|(_, known)| known.is_none()).map(|(cid, _)| cid));
        }
        Ok(missing)
    }
}
