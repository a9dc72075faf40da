//! The walk over Dags of every shape, with blocks that come in every order.

#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, HashMap, HashSet};

use bolero::TypeGenerator;
use ipse_base::{AbsentReason, Block, Cid, Codec, ErrorKind, HashCode, Kind, Want};
use ipse_dag::{Budget, Leaves, PbLink, PbNode, Planner, Visit, Walk, WalkError, WalkOptions, links};

/// A Dag and its blocks.
#[derive(Default)]
struct Dag {
    blocks: HashMap<Cid, Block>,
}

impl Dag {
    fn leaf(&mut self, content: &[u8]) -> (Cid, u64) {
        let block = Block::hash(Codec::RAW, HashCode::SHA2_256, content.to_vec().into()).unwrap();
        let cid = block.cid().clone();
        self.blocks.insert(cid.clone(), block);
        (cid, content.len() as u64)
    }

    fn node(&mut self, below: &[(Cid, u64)], sized: bool) -> (Cid, u64) {
        let link = |(index, (cid, size)): (usize, &(Cid, u64))| PbLink {
            cid: cid.clone(),
            name: Some(index.to_string().into()),
            tsize: sized.then_some(*size),
        };
        let node = PbNode { data: None, links: below.iter().enumerate().map(link).collect() };
        let block = Block::hash(Codec::DAG_PB, HashCode::SHA2_256, node.encode()).unwrap();
        let size = below.iter().fold(block.data().len() as u64, |sum, (_, size)| sum.saturating_add(*size));
        let cid = block.cid().clone();
        self.blocks.insert(cid.clone(), block);
        (cid, size)
    }

    /// The visits of a walk as plain recursion finds them.
    fn model(&self, roots: &[Cid], options: WalkOptions, missing: &HashSet<Cid>) -> Vec<Visit> {
        let mut model = Model { dag: self, options, missing, seen: BTreeMap::new(), visits: Vec::new() };
        roots.iter().for_each(|root| model.visit(root, None, "", None, 0));
        model.visits
    }
}

struct Model<'a> {
    dag: &'a Dag,
    options: WalkOptions,
    missing: &'a HashSet<Cid>,
    seen: BTreeMap<Cid, usize>,
    visits: Vec<Visit>,
}

impl Model<'_> {
    fn visit(&mut self, cid: &Cid, parent: Option<&Cid>, name: &str, tsize: Option<u64>, depth: usize) {
        let old = self.seen.get(cid).copied().filter(|_| self.options.unique);
        if old.is_some_and(|old| old <= depth || self.options.depth_max.is_none()) {
            return;
        }
        self.seen.insert(cid.clone(), depth);
        let bottom = self.options.depth_max.is_some_and(|max| depth >= max);
        let by_name = self.options.leaves == Leaves::Name && (bottom || cid.codec() == Codec::RAW);
        let absent = !by_name && self.missing.contains(cid);
        let block = (!by_name && !absent).then(|| self.dag.blocks[cid].clone());
        let below = block.as_ref().map(|block| links(cid, block.data()).unwrap()).filter(|_| !bottom);
        let (parent, name) = (parent.cloned(), name.to_owned());
        if old.is_none() {
            self.visits.push(Visit { cid: cid.clone(), parent, name, tsize, depth, block, absent });
        }
        for link in below.unwrap_or_default() {
            self.visit(&link.cid, Some(cid), &link.name, link.tsize, depth + 1);
        }
    }
}

/// What a driver saw.
struct Drive {
    visits: Vec<Visit>,
    wants: Vec<Want>,
    open_max: usize,
}

/// Drives a walk; `choose` says which of the open wants is answered next.
fn drive(
    dag: &Dag,
    mut walk: Walk,
    budget: Budget,
    missing: &HashSet<Cid>,
    mut choose: impl FnMut(usize) -> usize,
) -> Result<Drive, WalkError> {
    let mut drive = Drive { visits: Vec::new(), wants: Vec::new(), open_max: 0 };
    let mut open: Vec<Want> = Vec::new();
    loop {
        while let Some(visit) = walk.poll_out() {
            assert!(!walk.is_done() || walk.poll_out().is_none());
            drive.visits.push(visit);
        }
        if walk.is_done() {
            assert!(open.is_empty(), "wants nothing that it does not use");
            return Ok(drive);
        }
        let wants = walk.wants(budget);
        for want in wants {
            assert!(open.iter().all(|other| other.cid != want.cid), "asks once");
            drive.wants.push(want.clone());
            open.push(want);
        }
        drive.open_max = drive.open_max.max(open.len());
        assert!(!open.is_empty(), "never stands still");
        let want = open.swap_remove(choose(open.len()) % open.len());
        if missing.contains(&want.cid) {
            walk.absent(&want.cid, AbsentReason::NobodyHasIt)?;
        } else {
            walk.give(dag.blocks[&want.cid].clone())?;
        }
    }
}

const ROOMY: Budget = Budget { wants: 64, bytes: 1 << 20 };

/// Levels of nodes that link to the level below twice each: 2^levels paths, as many blocks as levels.
fn exponential(levels: usize) -> (Dag, Cid) {
    let mut dag = Dag::default();
    let mut top = dag.leaf(b"bottom");
    for _ in 0..levels {
        top = dag.node(&[top.clone(), top], false);
    }
    (dag, top.0)
}

#[derive(Debug, TypeGenerator)]
struct Shape {
    /// For each node, picks among the blocks made before it.
    nodes: Vec<Vec<u8>>,
    leaves: u8,
    by_name: bool,
    unique: bool,
    depth_max: Option<u8>,
    sized: bool,
    missing: Vec<u8>,
    order: Vec<u8>,
    wants: u8,
    bytes: u16,
}

#[test]
fn read_order_does_not_depend_on_the_order_of_arrival() {
    bolero::check!().with_type::<Shape>().for_each(|shape| {
        let mut dag = Dag::default();
        let mut made: Vec<(Cid, u64)> = (0..=shape.leaves % 8).map(|n| dag.leaf(&[n; 3])).collect();
        for picks in shape.nodes.iter().take(8) {
            let pick = |&at: &u8| made[usize::from(at) % made.len()].clone();
            let below: Vec<_> = picks.iter().take(4).map(pick).collect();
            made.push(dag.node(&below, shape.sized));
        }
        let roots: Vec<Cid> = made.iter().rev().take(2).map(|(cid, _)| cid.clone()).collect();
        let missing =
            shape.missing.iter().take(3).map(|&at| made[usize::from(at) % made.len()].0.clone()).collect();
        let options = WalkOptions {
            leaves: if shape.by_name { Leaves::Name } else { Leaves::Read },
            unique: shape.unique,
            depth_max: shape.depth_max.map(|depth| usize::from(depth % 6)),
            tolerate_absent: true,
        };
        let budget = Budget { wants: usize::from(shape.wants % 9), bytes: u64::from(shape.bytes) };
        let mut order = shape.order.iter().cycle();
        let choose = |_| order.next().map_or(0, |&choice| usize::from(choice));
        let drive = drive(&dag, Walk::new(roots.clone(), options), budget, &missing, choose).unwrap();
        assert_eq!(drive.visits, dag.model(&roots, options, &missing));
        assert!(drive.open_max <= budget.wants.max(1), "{} open of {}", drive.open_max, budget.wants);
        if options.unique && options.depth_max.is_none() {
            let asked: HashSet<_> = drive.wants.iter().map(|want| &want.cid).collect();
            assert_eq!(asked.len(), drive.wants.len(), "a block that is used once is asked for once");
        }
    });
}

#[test]
fn repeated_links_cost_nothing() {
    let (dag, root) = exponential(200);
    for choice in [0, 1, usize::MAX] {
        let walk = Walk::new(vec![root.clone()], WalkOptions::default());
        let drive = drive(&dag, walk, ROOMY, &HashSet::new(), |_| choice).unwrap();
        assert_eq!((drive.visits.len(), drive.wants.len()), (201, 201));
    }
}

#[test]
fn every_repetition_is_visited_without_being_kept() {
    // The scout could run ahead over 2^30 places here; the budget in blocks does not hold it back.
    let (dag, root) = exponential(30);
    let options = WalkOptions { unique: false, ..WalkOptions::default() };
    let mut walk = Walk::new(vec![root], options);
    let mut visits = 0;
    while visits < 20_000 {
        visits += std::iter::from_fn(|| walk.poll_out()).take(1000).count();
        for want in walk.wants(ROOMY) {
            walk.give(dag.blocks[&want.cid].clone()).unwrap();
        }
    }
    assert!(!walk.is_done());
}

#[test]
fn a_child_that_arrives_goes_before_later_siblings() {
    let mut dag = Dag::default();
    let nodes: Vec<_> = (0..4u8)
        .map(|n| {
            let leaves: Vec<_> = (0..3u8).map(|leaf| dag.leaf(&[n, leaf])).collect();
            dag.node(&leaves, true)
        })
        .collect();
    let root = dag.node(&nodes, true).0;
    let mut walk = Walk::new(vec![root.clone()], WalkOptions::default());
    let budget = |wants| Budget { wants, bytes: 1 << 20 };
    let names = |wants: Vec<Want>| wants.into_iter().map(|want| want.cid).collect::<Vec<_>>();
    let below = |cid: &Cid| {
        links(cid, dag.blocks[cid].data()).unwrap().into_iter().map(|link| link.cid).collect::<Vec<_>>()
    };

    assert_eq!(names(walk.wants(budget(2))), [root.clone()].as_slice());
    walk.give(dag.blocks[&root].clone()).unwrap();
    let first = walk.wants(budget(2));
    assert!(first[0].priority > first[1].priority);
    assert_eq!(names(first), [nodes[0].0.clone(), nodes[1].0.clone()]);
    // The second node comes first: its leaves go before the third node, behind the first.
    walk.give(dag.blocks[&nodes[1].0].clone()).unwrap();
    assert_eq!(names(walk.wants(budget(2))), below(&nodes[1].0)[..1]);
    walk.give(dag.blocks[&nodes[0].0].clone()).unwrap();
    let next = walk.wants(budget(5));
    assert!(next.is_sorted_by(|a, b| a.priority > b.priority));
    assert_eq!(names(next), [below(&nodes[0].0), below(&nodes[1].0)[1..2].to_vec()].concat());
}

#[test]
fn bytes_hold_the_scout_back_and_never_the_reader() {
    let mut dag = Dag::default();
    let leaves: Vec<_> = (0..100u8).map(|n| dag.leaf(&[n; 1000])).collect();
    let root = dag.node(&leaves, true).0;
    let budget = Budget { wants: 1000, bytes: 10_000 };
    let mut walk = Walk::new(vec![root.clone()], WalkOptions::default());
    walk.wants(budget);
    walk.give(dag.blocks[&root].clone()).unwrap();
    // The root itself, with its links, is over the budget as long as it is not taken.
    assert_eq!(walk.wants(budget).len(), 0);
    assert_eq!(walk.poll_out().unwrap().cid, root);
    let wants = walk.wants(budget);
    assert_eq!(wants.len(), 10);
    assert!(wants.iter().all(|want| want.size_hint == Some(1000)));
    // All but the first come and fill the budget; nothing more is asked for until the first is here.
    for want in &wants[1..] {
        walk.give(dag.blocks[&want.cid].clone()).unwrap();
    }
    assert_eq!(walk.wants(budget).len(), 0);
    walk.give(dag.blocks[&wants[0].cid].clone()).unwrap();
    assert_eq!(std::iter::from_fn(|| walk.poll_out()).count(), 10);
    assert_eq!(
        walk.wants(Budget { wants: 0, bytes: 0 }).len(),
        1,
        "the first is asked for whatever the budget"
    );
}

#[test]
fn what_nodes_need_is_learned_where_nobody_says_it() {
    let mut dag = Dag::default();
    let nodes: Vec<_> = (0..64u16)
        .map(|node| {
            let leaves: Vec<_> = (0..200u16)
                .map(|leaf| dag.leaf(&[node.to_be_bytes(), leaf.to_be_bytes()].concat()))
                .collect();
            dag.node(&leaves, false)
        })
        .collect();
    let root = dag.node(&nodes, false).0;
    let options = WalkOptions { leaves: Leaves::Name, ..WalkOptions::default() };
    let mut walk = Walk::new(vec![root.clone()], options);
    let budget = |wants| Budget { wants, bytes: 256 * 1024 };
    walk.wants(budget(1));
    walk.give(dag.blocks[&root].clone()).unwrap();
    walk.poll_out().unwrap();
    let first = walk.wants(budget(64));
    assert!(first.len() >= 16, "only the root is known: {}", first.len());
    for want in &first {
        walk.give(dag.blocks[&want.cid].clone()).unwrap();
    }
    assert_eq!(std::iter::from_fn(|| walk.poll_out()).count(), first.len() * 201);
    // A node with its links takes some 34 KiB.
    assert_eq!(walk.wants(budget(64)).len(), 8);
}

#[test]
fn what_is_absent_ends_a_walk_or_is_told() {
    let mut dag = Dag::default();
    let (leaf, other) = (dag.leaf(b"leaf"), dag.leaf(b"other"));
    let root = dag.node(&[leaf.clone(), other], true).0;
    let missing = HashSet::from([leaf.0.clone()]);
    let run = |tolerate_absent| {
        let options = WalkOptions { tolerate_absent, ..WalkOptions::default() };
        drive(&dag, Walk::new(vec![root.clone()], options), ROOMY, &missing, |_| 0)
    };
    let visits = run(true).unwrap().visits;
    assert_eq!(visits.iter().map(|visit| visit.absent).collect::<Vec<_>>(), [false, true, false]);
    let error = run(false).err().unwrap();
    assert_eq!(error.kind(), Kind::Unavailable);
    assert!(error.to_string().contains(&leaf.0.to_string()));
}

#[test]
fn a_chain_without_end_is_refused() {
    let chain = |length: usize| {
        let mut dag = Dag::default();
        let mut top = dag.leaf(b"end");
        for _ in 0..length {
            top = dag.node(&[top], true);
        }
        drive(&dag, Walk::new(vec![top.0], WalkOptions::default()), ROOMY, &HashSet::new(), |_| 0)
    };
    assert_eq!(chain(1024).unwrap().visits.len(), 1025);
    assert!(matches!(chain(1025), Err(WalkError::TooDeep(_))));
}

#[test]
fn more_links_than_any_walk_keeps_are_refused() {
    // Each node leads on and then repeats one link 20,000 times, so every level stays in view.
    let mut dag = Dag::default();
    let leaf = dag.leaf(b"");
    let mut top = leaf.clone();
    for _ in 0..12 {
        let mut below = vec![top];
        below.resize(20_000, leaf.clone());
        top = dag.node(&below, false);
    }
    let walk = || Walk::new(vec![top.0.clone()], WalkOptions::default());
    assert_eq!(drive(&dag, walk(), ROOMY, &HashSet::new(), |_| 0).unwrap().visits.len(), 13);
    for _ in 0..50 {
        let mut below = vec![top];
        below.resize(20_000, leaf.clone());
        top = dag.node(&below, false);
    }
    let walk = Walk::new(vec![top.0], WalkOptions::default());
    assert!(matches!(drive(&dag, walk, ROOMY, &HashSet::new(), |_| 0), Err(WalkError::TooWide(_))));
}

#[test]
fn what_was_not_asked_for_and_what_is_malformed() {
    let stranger = Block::hash(Codec::RAW, HashCode::SHA2_256, "x".into()).unwrap();
    let bad = Block::hash(Codec::DAG_PB, HashCode::SHA2_256, "not dag-pb".into()).unwrap();
    let mut walk = Walk::new(vec![bad.cid().clone()], WalkOptions::default());
    walk.wants(ROOMY);
    walk.give(stranger.clone()).unwrap();
    walk.absent(stranger.cid(), AbsentReason::Failed).unwrap();
    assert_eq!(walk.give(bad).unwrap_err().kind(), Kind::Corrupt);
    assert!(walk.is_done() && walk.poll_out().is_none() && walk.wants(ROOMY).is_empty());
}
