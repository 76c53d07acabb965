// The load generators: where each comes from, how it is run, and what it says.
import { execFileSync, spawn } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";

const TARGET = fileURLToPath(new URL("../../../target", import.meta.url));
const CACHE = join(TARGET, "peers");

export const AUTHBENCH = join(TARGET, "release", "authbench");
const PEER_CLIENT = join(TARGET, "release", "peer_client");

/// As many users as a stall's requests find busy at once: the others wait for one.
const TRUTH_USERS = 20;

/// wrk prints four quantiles; its script hook knows all of them.
const WRK_SCRIPT = `done = function(summary, latency, requests)
  local at = function(p) return latency:percentile(p) end
  print(string.format("JSON {\\"perSecond\\":%f,\\"p50\\":%d,\\"p95\\":%d,\\"p99\\":%d,\\"p999\\":%d,\\"max\\":%d}",
    summary.requests / summary.duration * 1e6, at(50), at(95), at(99), at(99.9), latency.max))
end
`;

/// The tools that can be run, and why the others cannot.
export function installed(install) {
  mkdirSync(CACHE, { recursive: true });
  const tools = [];
  const missing = [];
  for (const tool of TOOLS) {
    try {
      tools.push({ ...tool, program: tool.find(install) });
    } catch (error) {
      if (tool.name === "authbench") throw error;
      missing.push([tool.name, error.message.split("\n")[0]]);
    }
  }
  return { tools, missing };
}

/// A closed loop: requests a second, CPU time a request in µs, latencies in µs.
export async function throughput(tool, url, connections, seconds) {
  const { out, cpuSeconds } = await timed(tool.program, tool.closedLoop(url, connections, seconds));
  const { perSecond, ...latency } = tool.read(out, seconds);
  return { perSecond, cpuMicros: (cpuSeconds * 1e6) / (perSecond * seconds), latency };
}

/// The ways in which a tool can be held against the stalling server's log; `closed` where it knows no rate.
export function truthful(tool) {
  return (tool.atRate ?? []).map(({ name, closed, flags, latencies }) => ({
    name,
    closed,
    run: async (url, rate, seconds) => {
      const { out } = await timed(tool.program, flags(url, rate, seconds));
      return (latencies ?? tool.read)(out, seconds);
    },
  }));
}

const ours = (out) => {
  const said = JSON.parse(out);
  return { perSecond: said.requests_per_second, ...said.latency_us };
};

const peerClient = (out, seconds) => {
  const { requests, latency_ns } = JSON.parse(out);
  const micros = Object.entries(latency_ns).map(([name, ns]) => [name, ns / 1e3]);
  return { perSecond: requests / seconds, ...Object.fromEntries(micros) };
};

const TOOLS = [
  {
    name: "authbench",
    find: () => built(AUTHBENCH),
    closedLoop: (url, users, seconds) => ["load", url, "--users", users, "--duration", `${seconds}s`, "--json"],
    read: ours,
    atRate: [
      {
        name: "authbench",
        flags: (url, rate, seconds) => ["load", url, "--rate", `${rate}/s`, "--users", TRUTH_USERS, "--duration", `${seconds}s`, "--json"],
      },
    ],
  },
  {
    name: "wrk",
    find: (install) => onPath("wrk") ?? debian("wrk", install),
    closedLoop: (url, connections, seconds) => [...wrkFlags(connections, seconds), url],
    read: (out) => JSON.parse(out.match(/^JSON (.*)$/m)[1]),
    atRate: [{ name: "wrk (no rate)", closed: true, flags: (url, _, seconds) => [...wrkFlags(TRUTH_USERS, seconds), url] }],
  },
  {
    name: "oha",
    find: (install) => onPath("oha") ?? cargo("oha", install),
    closedLoop: (url, connections, seconds) => [...ohaFlags(connections, seconds), url],
    read: (out) => {
      const said = JSON.parse(out);
      const { p50, p95, p99, "p99.9": p999 } = said.latencyPercentiles;
      const micros = Object.entries({ p50, p95, p99, p999, max: said.summary.slowest }).map(([name, s]) => [name, s * 1e6]);
      return { perSecond: said.summary.requestsPerSec, ...Object.fromEntries(micros) };
    },
    atRate: [
      { name: "oha -q", flags: (url, rate, seconds) => [...ohaFlags(TRUTH_USERS, seconds), "-q", rate, url] },
      {
        name: "oha -q --latency-correction",
        flags: (url, rate, seconds) => [...ohaFlags(TRUTH_USERS, seconds), "-q", rate, "--latency-correction", url],
      },
    ],
  },
  {
    name: "hey",
    find: (install) => onPath("hey") ?? debian("hey", install),
    closedLoop: (url, connections, seconds) => ["-z", `${seconds}s`, "-c", connections, url],
    read: (out) => ({ perSecond: number(out, /Requests\/sec:\s+([\d.]+)/), p50: number(out, /50%+ in ([\d.]+) secs/) * 1e6 }),
    atRate: [
      {
        name: "hey -q",
        flags: (url, rate, seconds) => ["-z", `${seconds}s`, "-c", TRUTH_USERS, "-q", rate / TRUTH_USERS, "-o", "csv", url],
        latencies: heyLatencies,
      },
    ],
  },
  {
    name: "goose",
    find: () => built(PEER_CLIENT),
    closedLoop: (url, users, seconds) => ["goose", url, users, seconds],
    read: peerClient,
    atRate: [{ name: "goose throttled", flags: (url, rate, seconds) => ["goose", url, TRUTH_USERS, seconds, rate] }],
  },
  {
    name: "bare hyper",
    find: () => built(PEER_CLIENT),
    closedLoop: (url, users, seconds) => ["hyper", url, users, seconds],
    read: peerClient,
  },
];

function wrkFlags(connections, seconds) {
  const script = join(CACHE, "wrk.lua");
  writeFileSync(script, WRK_SCRIPT);
  return ["-t", Math.min(cpus().length, connections), "-c", connections, "-d", `${seconds}s`, "-s", script];
}

const ohaFlags = (connections, seconds) => ["--no-tui", "--output-format", "json", "-c", connections, "-z", `${seconds}s`];

/// hey prints no quantile beyond p99, and all its requests where it is asked.
function heyLatencies(out) {
  const micros = out.trim().split("\n").slice(1).map((line) => Number(line.split(",")[0]) * 1e6).sort((a, b) => a - b);
  const at = (quantile) => micros[Math.max(0, Math.ceil(micros.length * quantile) - 1)];
  return { p95: at(0.95), p99: at(0.99), p999: at(0.999), max: at(1) };
}

const number = (text, pattern) => Number(text.match(pattern)?.[1]);

function built(path) {
  if (existsSync(path)) return path;
  throw new Error(`${path} is not there: run \`cargo build --release --workspace --bins\``);
}

function onPath(name) {
  return process.env.PATH.split(delimiter).map((folder) => join(folder, name)).find(existsSync);
}

/// Out of a Debian package, which is unpacked and not installed.
function debian(name, install) {
  const root = join(CACHE, `${name}-root`);
  const program = join(root, "usr", "bin", name);
  if (existsSync(program)) return program;
  if (!install) throw new Error("not installed");
  execFileSync("apt-get", ["download", name], { cwd: CACHE, stdio: "pipe" });
  const file = readdirSync(CACHE).find((file) => file.startsWith(`${name}_`) && file.endsWith(".deb"));
  execFileSync("dpkg", ["-x", file, root], { cwd: CACHE, stdio: "pipe" });
  return built(program);
}

function cargo(name, install) {
  const program = join(CACHE, "bin", name);
  if (existsSync(program)) return program;
  if (!install) throw new Error("not installed");
  const build = join(CACHE, "build");
  console.log(`installing ${name}, which takes minutes`);
  execFileSync("cargo", ["install", name, "--locked", "--root", CACHE, "--target-dir", build], { stdio: "pipe" });
  rmSync(build, { recursive: true, force: true });
  return program;
}

/// Runs a program to its end: what it prints, and the processor time that it took.
async function timed(program, flags) {
  const script = 'TIMEFORMAT="cpu %U %S"; time "$@"';
  const child = spawn("bash", ["-c", script, "bash", program, ...flags.map(String)], { stdio: ["ignore", "pipe", "pipe"] });
  const texts = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text) => (texts[0] += text));
  child.stderr.setEncoding("utf8").on("data", (text) => (texts[1] += text));
  await new Promise((resolve, reject) => child.on("close", resolve).on("error", reject));
  const cpu = texts[1].match(/^cpu ([\d.]+) ([\d.]+)$/m);
  if (!cpu || texts[0] === "") throw new Error(`${program} ${flags.join(" ")}: ${texts[1]}`);
  return { out: texts[0], cpuSeconds: Number(cpu[1]) + Number(cpu[2]) };
}
