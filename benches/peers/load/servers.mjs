// The two servers that are asked: a fast one that says nothing, and one that stalls and keeps a log.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { AUTHBENCH } from "./tools.mjs";

const LISTEN = "127.0.0.1:9471";

/// `authbench serve idp`, whose /healthz answers 15 bytes, as a process of its own.
export async function startServer() {
  const child = spawn(AUTHBENCH, ["serve", "idp", "--listen", LISTEN], { stdio: ["ignore", "ignore", "inherit"] });
  const url = `http://${LISTEN}/healthz`;
  for (let tries = 0; ; tries++) {
    const up = await fetch(url).catch(() => undefined);
    if (up?.ok) return { url, end: () => child.kill() };
    if (tries > 100 || child.exitCode !== null) throw new Error(`no server at ${LISTEN}`);
    await sleep(50);
  }
}

const PERIOD_MS = 1000;
const STALL_BEGINS_MS = 750;

/// Answers nothing in the last quarter of each second, counted from its first request, and notes when each request came and
/// was answered.
export class Stalling {
  #server = createServer((socket) => this.#connection(socket));
  #log = [];
  #sockets = new Set();
  #started;

  static async start() {
    const stalling = new Stalling();
    stalling.#server.listen(0, "127.0.0.1");
    await once(stalling.#server, "listening");
    stalling.url = `http://127.0.0.1:${stalling.#server.address().port}/`;
    return stalling;
  }

  #connection(socket) {
    this.#sockets.add(socket.setNoDelay());
    socket.on("error", () => {}).on("close", () => this.#sockets.delete(socket));
    let head = "";
    socket.on("data", (bytes) => {
      head += bytes.toString("latin1");
      if (!head.endsWith("\r\n\r\n")) return;
      head = "";
      const came = performance.now();
      this.#started ??= came;
      const within = (came - this.#started) % PERIOD_MS;
      if (within < STALL_BEGINS_MS) this.#answer(socket, came);
      else setTimeout(() => this.#answer(socket, came), PERIOD_MS - within);
    });
  }

  #answer(socket, came) {
    socket.write("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
    this.#log.push({ came, answered: performance.now() });
  }

  /// The response times in ms of the requests as they were due at a rate, from the moment at which the first could have been
  /// due. For a closed loop, which has no such moments: as if they had been due evenly over its run.
  truth(rate) {
    const log = this.#log.sort((a, b) => a.came - b.came);
    const span = log.at(-1).came - log[0].came;
    const gap = rate === undefined ? span / Math.max(1, log.length - 1) : 1000 / rate;
    const due = (start, place) => start + place * gap;
    const start = rate === undefined ? log[0].came : log.reduce((least, { came }, place) => Math.min(least, came - place * gap), Infinity);
    const waited = log.map(({ answered }, place) => answered - due(start, place)).sort((a, b) => a - b);
    const at = (quantile) => waited[Math.max(0, Math.ceil(waited.length * quantile) - 1)];
    return { count: log.length, p95: at(0.95), p99: at(0.99), p999: at(0.999), max: at(1) };
  }

  async end() {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, "close");
  }
}
