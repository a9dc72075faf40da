// Keeps the status page true: asks the node every two seconds while the page is seen.

import { bytes, count } from "./format.js";

const EVERY_MS = 2000;

const at = (id) => document.getElementById(id);

function show(id, text) {
  at(id).textContent = text;
}

/** One call of the node's RPC. */
async function ask(command) {
  const response = await fetch(`/api/v0/${command}`, { method: "POST" });
  const answer = await response.json();
  if (!response.ok) {
    throw new Error(answer.Message ?? response.statusText);
  }
  return answer;
}

function item(text) {
  const element = document.createElement("li");
  element.textContent = text;
  return element;
}

function row(...cells) {
  const element = document.createElement("tr");
  for (const text of cells) {
    const cell = document.createElement("td");
    cell.textContent = text;
    element.append(cell);
  }
  return element;
}

function showIdentity(identity) {
  show("peer", identity.ID);
  show("agent", identity.AgentVersion);
  const addresses = (identity.Addresses ?? []).map((address) => item(address.split("/p2p/")[0]));
  at("addresses").replaceChildren(...addresses);
}

function showRepository(repository) {
  show("blocks", count(repository.NumObjects));
  show("size", bytes(repository.RepoSize));
  show("size-limit", bytes(repository.StorageMax));
  show("folder", repository.RepoPath);
  at("fill").value = repository.StorageMax > 0 ? repository.RepoSize / repository.StorageMax : 0;
}

function showTraffic(traffic) {
  show("received", bytes(traffic.DataReceived));
  show("sent", bytes(traffic.DataSent));
  show("blocks-received", count(traffic.BlocksReceived));
  show("blocks-sent", count(traffic.BlocksSent));
  show("wanted", count((traffic.Wantlist ?? []).length));
}

function showPeers(answer) {
  const peers = answer.Peers ?? [];
  show("peer-count", count(peers.length));
  at("no-peers").hidden = peers.length > 0;
  at("peers").replaceChildren(...peers.map((peer) => row(peer.Peer, peer.Addr, peer.Latency || "")));
}

const PARTS = [
  ["id", showIdentity],
  ["repo/stat", showRepository],
  ["bitswap/stat", showTraffic],
  ["swarm/peers?latency=true", showPeers],
];

async function refresh() {
  const answers = await Promise.allSettled(PARTS.map(([command]) => ask(command)));
  const failures = [];
  answers.forEach((answer, index) => {
    if (answer.status === "fulfilled") {
      PARTS[index][1](answer.value);
    } else {
      failures.push(answer.reason.message);
    }
  });
  const [first] = failures;
  show("state", first === undefined ? "running" : `the node does not answer: ${first}`);
  at("state").classList.toggle("trouble", first !== undefined);
}

async function keepFresh() {
  if (document.visibilityState === "visible") {
    await refresh();
  }
  setTimeout(keepFresh, EVERY_MS);
}

keepFresh();
