// Times RS256 verification of one token by JWT libraries of Node and prints it beside the Rust rows.
import { readFileSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { makeSubject, parseSubject } from "./subject.mjs";

const USAGE = `Usage: node run.mjs [OPTIONS] [SUBJECT]

SUBJECT is a JSON file {token, jwks, issuer, audience}, or - for standard input; without it a key and a token are made.

  --rounds N       Rounds of every peer [default: 15]
  --round-ms N     Milliseconds that a peer is timed in a round, at least [default: 100]
  --criterion DIR  Where criterion keeps the group \`verify\` [default: target/criterion/verify of this checkout]
  --json FILE      Save the rows, each with the ns of its rounds
  --help           Print help`;

const CRITERION = fileURLToPath(new URL("../../target/criterion/verify", import.meta.url));

class UsageError extends Error {}

async function main() {
  const options = parseOptions();
  if (options.help) return console.log(USAGE);
  const { peersOf } = await installedPeers();
  const { measure, selfCheck } = await import("./measure.mjs");
  const { nodeRows, notes, render, rustRows } = await import("./table.mjs");

  // Tokens with wrong claims need a private key, so every peer first proves itself on a subject that is made here.
  const made = makeSubject();
  await selfCheck(await peersOf(made), made);
  const subject = options.subject ?? made;
  const peers = await peersOf(subject);
  await selfCheck(peers, subject);

  const node = nodeRows(await measure(peers, subject, options.rounds, options.roundMs));
  const rust = rustRows(options.criterion);
  if (options.json) {
    const { node: version, openssl } = process.versions;
    const record = { node: version, openssl, rows: [...rust, ...node] };
    writeFileSync(options.json, `${JSON.stringify(record, null, 2)}\n`);
  }
  const { length } = subject.token;
  console.log(`RS256, RSA-2048, one token of ${length} bytes, one at a time, on ${cpus()[0].model.trim()}`);
  console.log(`\n${render(rust, node)}\n`);
  console.log(notes(rust, node, options.criterion).join("\n"));
}

function parseOptions() {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: {
        criterion: { type: "string", default: CRITERION },
        help: { type: "boolean", default: false },
        json: { type: "string" },
        rounds: { type: "string", default: "15" },
        "round-ms": { type: "string", default: "100" },
      },
    });
    if (positionals.length > 1) throw new Error(`one subject at most, not ${positionals.length}`);
    return {
      criterion: values.criterion,
      help: values.help,
      json: values.json,
      rounds: positive("--rounds", values.rounds),
      roundMs: positive("--round-ms", values["round-ms"]),
      subject: positionals.length === 1 ? readSubject(positionals[0]) : undefined,
    };
  } catch (error) {
    throw new UsageError(error.message);
  }
}

function positive(name, text) {
  if (!/^[1-9][0-9]{0,5}$/.test(text)) throw new Error(`${name} must be a whole number from 1 to 999999, not ${text}`);
  return Number(text);
}

function readSubject(path) {
  try {
    return parseSubject(readFileSync(path === "-" ? 0 : path, "utf8"));
  } catch (error) {
    throw new Error(`cannot read the subject from ${path === "-" ? "standard input" : path}: ${error.message}`);
  }
}

async function installedPeers() {
  try {
    return await import("./peers.mjs");
  } catch (error) {
    if (error.code !== "ERR_MODULE_NOT_FOUND") throw error;
    throw new UsageError("the peers are not installed: run `npm ci` in benches/peers");
  }
}

try {
  await main();
} catch (error) {
  console.error(`error: ${error.message}`);
  process.exitCode = error instanceof UsageError ? 2 : 1;
}
