// One table of both sides: criterion's saved estimates and the peers' rounds.
import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { YARDSTICK } from "./peers.mjs";

const RUST_YARDSTICK = "raw_rsa";

// The ids of the criterion group `verify` that are shown, in this order.
const RUST_ROWS = [
  { id: RUST_YARDSTICK, name: "raw_rsa (aws-lc-rs)", does: "signature alone" },
  { id: "verifier", name: "verifier (ours)", does: "token → claims" },
  { id: "decision", name: "decision (ours)", does: "event → policy" },
  { id: "cached_decision", name: "cached_decision (ours)", does: "event → policy, cache hit" },
  { id: "jsonwebtoken", name: "jsonwebtoken (crate)", does: "token → claims" },
  { id: "ring", name: "ring (crate)", does: "signature alone, parses the key" },
];

// The group takes some ten seconds a row; estimates that are further apart than this are of different runs.
const ONE_RUN_MS = 10 * 60 * 1000;

// The middle half of Node's yardstick was 1 % of its median on an idle machine and 37 % beside other work.
const BUSY = 0.05;

export function rustRows(folder) {
  return RUST_ROWS.flatMap(({ id, name, does }) => {
    const file = (kind) => join(folder, id, "new", `${kind}.json`);
    if (!existsSync(file("estimates"))) return [];
    const { iters, times } = JSON.parse(readFileSync(file("sample")));
    return {
      id,
      name,
      does,
      side: "Rust",
      medianNs: JSON.parse(readFileSync(file("estimates"))).median.point_estimate,
      roundsNs: times.map((ns, index) => ns / iters[index]),
      n: iters.reduce((sum, count) => sum + count, 0),
      measuredMs: statSync(file("estimates")).mtimeMs,
    };
  });
}

export function nodeRows(results) {
  return results.map((result) => ({
    ...result,
    id: result.name,
    side: "Node",
    medianNs: quantile(result.roundsNs, 0.5),
  }));
}

export function render(rust, node) {
  const rustYardstick = rust.find((row) => row.id === RUST_YARDSTICK)?.medianNs;
  const nodeYardstick = node.find((row) => row.id === YARDSTICK).medianNs;
  const heads = ["side", "row", "does", "median ns", "middle half", "× own raw", "× raw_rsa", "n", "rounds"];
  const lines = [...rust, ...node].map((row) => [
    row.side,
    row.name,
    row.does,
    whole(row.medianNs),
    `${whole(quantile(row.roundsNs, 0.25))}–${whole(quantile(row.roundsNs, 0.75))}`,
    ratio(row.medianNs, row.side === "Rust" ? rustYardstick : nodeYardstick),
    ratio(row.medianNs, rustYardstick),
    String(row.n),
    String(row.roundsNs.length),
  ]);
  // Text to the left, figures to the right.
  const widths = heads.map((_, column) => Math.max(...[heads, ...lines].map((cells) => cells[column].length)));
  const pad = (cell, column) => (column < 3 ? cell.padEnd(widths[column]) : cell.padStart(widths[column]));
  const print = (cells) => cells.map(pad).join("  ");
  return [print(heads), widths.map((width) => "─".repeat(width)).join("──"), ...lines.map(print)].join("\n");
}

export function notes(rust, node, folder) {
  const { node: version, openssl } = process.versions;
  const lines = [
    `The two yardsticks differ: Node ${version} verifies by OpenSSL ${openssl}, the Rust rows by AWS-LC.`,
    "\"× own raw\" divides by the raw RSA check of the row's own side, \"× raw_rsa\" by the Rust one.",
  ];
  const yardsticks = [...rust, ...node].filter(({ id }) => id === RUST_YARDSTICK || id === YARDSTICK);
  for (const { name, medianNs, roundsNs } of yardsticks) {
    const spread = (quantile(roundsNs, 0.75) - quantile(roundsNs, 0.25)) / medianNs;
    if (spread > BUSY) {
      const percent = whole(100 * spread);
      lines.push(`Inconclusive: the middle half of ${name} spans ${percent} %, so the machine was busy: run again.`);
    }
  }
  if (rust.length === 0) {
    lines.push(`No Rust rows: ${folder} has no estimates. Run \`cargo bench -p benches\` first.`);
    return lines;
  }
  const times = rust.map((row) => row.measuredMs);
  const [first, last] = [Math.min(...times), Math.max(...times)];
  lines.push(`The Rust rows are read from criterion's estimates of ${stamp(first)}; the Node rows are of now.`);
  if (last - first > ONE_RUN_MS) {
    lines.push(`They are of more than one run, the last of ${stamp(last)}: run \`cargo bench -p benches\` again.`);
  }
  if (!rust.some((row) => row.id === RUST_YARDSTICK)) lines.push("No raw_rsa is among them, so they have no ratio.");
  return lines;
}

function quantile(values, q) {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (sorted.length - 1) * q;
  const below = sorted[Math.floor(at)];
  return below + (sorted[Math.ceil(at)] - below) * (at - Math.floor(at));
}

function ratio(ns, yardstickNs) {
  return yardstickNs ? (ns / yardstickNs).toFixed(2) : "–";
}

function whole(ns) {
  return String(Math.round(ns));
}

function stamp(ms) {
  return `${new Date(ms).toISOString().slice(0, 16).replace("T", " ")} UTC`;
}
