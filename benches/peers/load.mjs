// Compares `authbench load URL` with other load generators: how much each gets through, and how true its latencies are.
import { cpus } from "node:os";
import { parseArgs } from "node:util";
import { startServer, Stalling } from "./load/servers.mjs";
import { installed, throughput, truthful } from "./load/tools.mjs";

const USAGE = `Usage: node load.mjs [OPTIONS]

Peers that are missing are installed into target/peers: oha by cargo, hey and wrk from their Debian packages. What cannot be
installed is skipped by name. Needs \`cargo build --release\` of the workspace first.

  --rounds N       Rounds of every tool, interleaved [default: 5]
  --seconds N      Seconds of each closed loop [default: 3]
  --connections N  Connections of each closed loop [default: 16]
  --rates LIST     Requests a second against the stalling server, or "none" [default: 100,1000,5000]
  --truth-seconds N  Seconds of each run against the stalling server [default: 8]
  --no-install     Use what is there
  --help           Print help`;

class UsageError extends Error {}

async function main() {
  const options = parseOptions();
  if (options.help) return console.log(USAGE);
  const { tools, missing } = installed(options.install);
  for (const [name, reason] of missing) console.log(`skipped: ${name}: ${reason}`);
  console.log(`${cpus().length} cores of ${cpus()[0].model.trim()}, on loopback; medians of n = ${options.rounds} interleaved rounds\n`);
  await compareThroughput(tools, options);
  for (const rate of options.rates) await compareTruth(tools, rate, options);
}

/// Interleaved, and each round begins with another tool: what else the machine does meets all of them.
async function compareThroughput(tools, { rounds, seconds, connections }) {
  const server = await startServer();
  const figures = new Map(tools.map((tool) => [tool.name, []]));
  try {
    for (let round = 0; round < rounds; round++) {
      for (let turn = 0; turn < tools.length; turn++) {
        const tool = tools[(round + turn) % tools.length];
        figures.get(tool.name).push(await throughput(tool, server.url, connections, seconds));
      }
    }
  } finally {
    server.end();
  }
  console.log(`closed loop, ${connections} connections, ${seconds} s; ratios are medians of the rounds' own`);
  const reference = figures.get("authbench");
  const rows = tools.map(({ name }) => {
    const runs = figures.get(name);
    const ratio = (of) => median(runs.map((run, round) => of(reference[round]) / of(run))).toFixed(2);
    return {
      tool: name,
      "requests/s": Math.round(median(runs.map((run) => run.perSecond))),
      "authbench ×": ratio((run) => run.perSecond),
      "CPU µs/request": median(runs.map((run) => run.cpuMicros)).toFixed(1),
      "authbench CPU ×": ratio((run) => run.cpuMicros),
      "p50 µs": median(runs.map((run) => run.latency.p50)).toFixed(0),
      "authbench p50 ×": ratio((run) => run.latency.p50),
    };
  });
  console.table(rows);
}

/// What each tool says of a server that stalls, and what the server's own log says of the same requests.
async function compareTruth(tools, rate, { truthSeconds }) {
  const rows = [];
  for (const tool of tools.flatMap(truthful)) {
    const server = await Stalling.start();
    try {
      const told = await tool.run(server.url, rate, truthSeconds);
      const truth = server.truth(tool.closed ? undefined : rate);
      const off = (name) => (told[name] == null ? "-" : `${signed(told[name] / 1e3 - truth[name])} of ${truth[name].toFixed(0)}`);
      rows.push({ tool: tool.name, requests: truth.count, p95: off("p95"), p99: off("p99"), p999: off("p999"), max: off("max") });
    } finally {
      await server.end();
    }
  }
  console.log(`\nms off the server's own log at ${rate}/s, ${truthSeconds} s, a stall of 250 ms each second, 20 connections`);
  console.table(rows);
}

const signed = (ms) => `${ms < 0 ? "−" : "+"}${Math.abs(ms).toFixed(1)}`;

function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

function parseOptions() {
  try {
    const { values } = parseArgs({
      options: {
        connections: { type: "string", default: "16" },
        help: { type: "boolean", default: false },
        "no-install": { type: "boolean", default: false },
        rates: { type: "string", default: "100,1000,5000" },
        rounds: { type: "string", default: "5" },
        seconds: { type: "string", default: "3" },
        "truth-seconds": { type: "string", default: "8" },
      },
    });
    const rates = values.rates === "none" ? [] : values.rates.split(",");
    return {
      connections: positive("--connections", values.connections),
      help: values.help,
      install: !values["no-install"],
      rates: rates.map((rate) => positive("--rates", rate)),
      rounds: positive("--rounds", values.rounds),
      seconds: positive("--seconds", values.seconds),
      truthSeconds: positive("--truth-seconds", values["truth-seconds"]),
    };
  } catch (error) {
    throw new UsageError(error.message);
  }
}

function positive(name, text) {
  if (!/^[1-9][0-9]{0,4}$/.test(text)) throw new Error(`${name} must be a whole number from 1 to 99999, not ${text}`);
  return Number(text);
}

try {
  await main();
} catch (error) {
  console.error(`error: ${error.message}`);
  process.exitCode = error instanceof UsageError ? 2 : 1;
}
