// The stream of frames, and an honest word about every gap in it.

import { $, say } from "./dom.js";
import { clock } from "./numbers.js";

const SILENT_S = 5;

export class Connection {
  constructor(show, notice) {
    [this.show, this.notice, this.last, this.lostAt] = [show, notice, null, null];
  }

  start() {
    this.listen();
    setInterval(() => this.look(), 1000);
  }

  listen() {
    this.source?.close();
    this.source = new EventSource("/api/stream");
    this.source.addEventListener("frame", (event) => this.frame(JSON.parse(event.data)));
    this.source.addEventListener("error", () => {
      this.lost();
      // A server that answers with an error ends the browser's own attempts.
      if (this.source.readyState === EventSource.CLOSED) setTimeout(() => this.listen(), 1000);
    });
  }

  lost() {
    this.lostAt ??= Date.now() / 1000;
    this.state("bad", "connection lost; trying again");
  }

  look() {
    if (this.seen && performance.now() - this.seen > 1000 * SILENT_S) this.lost();
  }

  frame(frame) {
    const began = performance.now();
    this.seen = began;
    if (this.last && (this.lostAt || frame.boot !== this.last.boot)) this.back(frame);
    this.state(frame.trouble ? "bad" : "live", frame.trouble || "live");
    if (!this.pending) this.last = frame;
    this.show(frame);
    performance.measure("frame-shown", { start: began, end: performance.now() });
  }

  // Everything since is on the topics, and a server that begins anew reads it from there: what it can't is named.
  back(frame) {
    if (frame.trouble) {
      this.pending = true;
      return;
    }
    this.pending = false;
    const from = this.lostAt ?? this.last.now;
    const away = `The page was without its server from ${clock(from)} to ${clock(frame.now)}`;
    const restarted = frame.boot !== this.last.boot;
    const since = frame.complete_from;
    if (since && since > this.last.now)
      this.notice(
        `${away}; results from ${clock(this.last.now)} to ${clock(since)} are not all shown, as only the last ${frame.keep} are kept.`,
      );
    else
      this.notice(
        `${away}${restarted ? ", which was started again" : ""}; the results of that time have been read since, and none is missing.`,
      );
    this.lostAt = null;
  }

  state(kind, words) {
    const pill = $("#connection");
    pill.className = `pill ${kind}`;
    say(pill, words);
  }
}
