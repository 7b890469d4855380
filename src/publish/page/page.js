// The page works without this file. It adds two things: buttons that copy, and parts that follow the
// rounds of the watcher. Nothing from the server is ever run or put together as markup by hand.
"use strict";
(() => {
  const status = document.getElementById("link");
  const say = (text) => { if (status && status.textContent !== text) status.textContent = text; };

  function showButtons(root) {
    for (const button of root.querySelectorAll("button.copy")) button.hidden = false;
  }

  async function copy(text) {
    if (navigator.clipboard && window.isSecureContext) {
      try {
        await navigator.clipboard.writeText(text);
        return true;
      } catch {
        // Forbidden by the browser: the old way may still work.
      }
    }
    const field = document.createElement("textarea");
    field.value = text;
    field.className = "hidden";
    field.setAttribute("aria-hidden", "true");
    document.body.append(field);
    field.select();
    const done = document.execCommand("copy");
    field.remove();
    return done;
  }

  document.addEventListener("click", async (event) => {
    const button = event.target.closest("button.copy");
    if (!button) return;
    const source = document.getElementById(button.dataset.copy);
    if (!source) return;
    const done = await copy(source.textContent.replace(/\n$/, ""));
    button.focus();
    button.textContent = done ? "Copied" : "Select it and press Ctrl+C";
    say(done ? "Copied." : "");
    setTimeout(() => { button.textContent = "Copy"; }, 3000);
  });

  // Swaps the parts that follow the rounds for those of a page that was just fetched. What a person
  // is doing there stays: focus, opened parts, and a selection, for which the swap waits.
  const last = new Map();

  function swap(fresh) {
    const selection = document.getSelection();
    const parts = (page) => [...page.querySelectorAll("[data-live]")].map((part) => part.id).join();
    if (parts(fresh) !== parts(document)) {
      // Another page under the same address: the first round ended, or a finding is gone.
      location.reload();
      return true;
    }
    for (const part of document.querySelectorAll("[data-live]")) {
      const other = fresh.getElementById(part.id);
      if (other.innerHTML === last.get(part.id)) continue;
      const chosen = selection && !selection.isCollapsed && part.contains(selection.anchorNode);
      if (chosen) return false;
      const focus = part.contains(document.activeElement) ? document.activeElement : null;
      const opened = [...part.querySelectorAll("details[open]")].map((one) => one.id);
      const was = other.innerHTML;
      part.replaceChildren(...document.importNode(other, true).childNodes);
      last.set(part.id, was);
      showButtons(part);
      for (const id of opened) {
        const one = document.getElementById(id);
        if (one) one.open = true;
      }
      if (focus) refocus(part, focus);
    }
    document.title = fresh.title;
    const at = (page) => page.querySelector("footer p time");
    if (at(document) && at(fresh)) at(document).replaceWith(document.importNode(at(fresh), true));
    return true;
  }

  function refocus(part, focus) {
    const all = [...part.querySelectorAll(focus.tagName)];
    const same = (one) => ["id", "href", "data-copy", "aria-label"].every(
      (name) => one.getAttribute(name) === focus.getAttribute(name));
    const again = all.find(same);
    if (again) again.focus({ preventScroll: true });
  }

  const main = document.getElementById("main");
  let shown = main ? main.dataset.round : "";
  let wanted = shown;
  let busy = false;
  let timer = 0;

  async function follow() {
    timer = 0;
    if (busy || document.hidden || wanted === shown) return;
    busy = true;
    const goal = wanted;
    try {
      const answer = await fetch(location.href, { headers: { Accept: "text/html" }, credentials: "same-origin" });
      const type = answer.headers.get("Content-Type") || "";
      if (type.startsWith("text/html")) {
        const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
        if (swap(fresh)) shown = goal;
      }
    } catch {
      say("Not connected: this page may be old.");
    } finally {
      busy = false;
    }
    if (wanted !== shown) later();
  }

  // Rounds may come faster than anybody reads.
  function later() {
    if (!timer) timer = setTimeout(follow, 1000);
  }

  // A browser has few connections for one server: a page that nobody sees gives its own back.
  let events = null;

  function listen() {
    if (events || document.hidden) return;
    events = new EventSource("/events");
    events.addEventListener("round", (event) => {
      say("Live: this page follows the watcher.");
      wanted = event.data;
      if (wanted !== shown) later();
    });
    events.addEventListener("error", () => {
      say("Not connected: this page may be old.");
      // A refusal ends it for good; a lost connection is tried again by the browser.
      if (events && events.readyState === EventSource.CLOSED) {
        events = null;
        setTimeout(listen, 30000);
      }
    });
  }

  function follows() {
    if (!document.hidden) {
      listen();
    } else if (events) {
      events.close();
      events = null;
    }
  }

  showButtons(document);
  if (main && document.querySelector("[data-live]")) {
    document.addEventListener("visibilitychange", follows);
    listen();
  }
})();
