// Proof that each peer refuses what it should, and then the clock.
import { withBadSignature } from "./subject.mjs";

// Verifications between two looks at the clock. A look costs under 1 µs, the fastest row's batch about 300 µs.
const BATCH = 100;

// Long enough for the optimizing compiler to be done with every peer's path.
const WARM_UP_MS = 500;

// A peer that accepts a wrong token does less work than the others, so its figure would mean nothing.
export async function selfCheck(peers, subject) {
  const wrong = { "a bad signature": withBadSignature(subject.token) };
  for (const peer of peers) {
    try {
      verified(await peer.verify(subject.token), subject);
    } catch (cause) {
      throw new Error(`${peer.name} refuses the good token: ${cause.message}`, { cause });
    }
    const refusable = { ...wrong, ...(peer.checksClaims ? subject.wrongClaims : {}) };
    for (const [what, token] of Object.entries(refusable)) {
      if (!(await refuses(peer, token))) throw new Error(`${peer.name} accepts ${what}`);
    }
  }
}

// Rounds are interleaved, so that a slow minute of the machine meets every peer; each starts with another peer.
export async function measure(peers, subject, rounds, roundMs) {
  for (const peer of peers) await time(peer, subject, WARM_UP_MS);
  const results = peers.map(({ name, does }) => ({ name, does, n: 0, roundsNs: [] }));
  for (let round = 0; round < rounds; round += 1) {
    for (let turn = 0; turn < peers.length; turn += 1) {
      const index = (round + turn) % peers.length;
      const { n, ns } = await time(peers[index], subject, roundMs);
      results[index].n += n;
      results[index].roundsNs.push(ns);
    }
  }
  return results;
}

async function time(peer, subject, atLeastMs) {
  const { token } = subject;
  const first = peer.verify(token);
  const batch = first instanceof Promise ? batchOfPromises : batchOfValues;
  verified(await first, subject);
  let n = 0;
  let elapsed = 0;
  const start = performance.now();
  do {
    const pending = batch(peer.verify, token, subject);
    if (pending) await pending;
    n += BATCH;
    elapsed = performance.now() - start;
  } while (elapsed < atLeastMs);
  return { n, ns: (elapsed * 1e6) / n };
}

// Two loops, because an `await` costs a synchronous peer a turn of the microtask queue.
function batchOfValues(verify, token, subject) {
  for (let i = 0; i < BATCH; i += 1) verified(verify(token), subject);
}

async function batchOfPromises(verify, token, subject) {
  for (let i = 0; i < BATCH; i += 1) verified(await verify(token), subject);
}

function verified(claims, subject) {
  if (claims.sub !== subject.claims.sub || claims.exp !== subject.claims.exp) {
    throw new Error("the claims are not the token's");
  }
}

async function refuses(peer, token) {
  try {
    await peer.verify(token);
    return false;
  } catch {
    return true;
  }
}
