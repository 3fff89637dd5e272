/* finsync.js: progressive enhancement only. Every page reads and every single action works without it. */
(() => {
  "use strict";
  const $ = (selector, root = document) => root.querySelector(selector);
  const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
  const root = document.documentElement;
  const say = (text) => { const line = $("#live"); if (line) line.textContent = text; };
  const typing = (event) => event.target.closest("input:not([type=checkbox]), textarea, select, [contenteditable]");
  const YEAR_SECONDS = 31536000, GO_MILLISECONDS = 900;

  /* theme: the cookie is what the server reads, so the next page comes in the right colours at once */
  const isDark = () => root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  function toggleTheme() {
    const theme = isDark() ? "light" : "dark";
    root.dataset.theme = theme;
    document.cookie = `fs_theme=${theme};path=/;max-age=${YEAR_SECONDS};samesite=lax${location.protocol === "https:" ? ";secure" : ""}`;
    say(`${theme} theme`);
  }

  /* selection: the checkboxes hold the truth, the bar over the table's head shows the count */
  let lastPick = null;
  let kept = new Set();
  function countPicks() {
    const queue = $("#queue");
    if (!queue) return;
    const picks = $$("input.pick", queue), on = picks.filter((pick) => pick.checked), bar = $(".bulk", queue);
    if (bar) { bar.hidden = !on.length; $("[data-n]", bar).textContent = on.length; }
    const all = $("input.pick-all", queue);
    if (all) { all.checked = picks.length > 0 && on.length === picks.length; all.indeterminate = on.length > 0 && !all.checked; }
  }
  function pickRange(pick) {
    const picks = $$("#queue input.pick"), [from, to] = [picks.indexOf(lastPick), picks.indexOf(pick)].sort((a, b) => a - b);
    if (from >= 0) picks.slice(from, to + 1).forEach((one) => { one.checked = pick.checked; });
  }
  document.addEventListener("change", (event) => {
    if (event.target.matches("input.pick-all")) $$("#queue input.pick").forEach((pick) => { pick.checked = event.target.checked; });
    if (event.target.matches("input.pick, input.pick-all")) countPicks();
  });

  /* the panel beside the list */
  function showPeek(open) {
    const peek = $("#peek"), desk = $("#desk");
    if (!peek || !desk) return;
    peek.hidden = !open;
    desk.classList.toggle("peeking", open);
  }
  function closePeek(event) {
    if (!$("#desk")) return;
    event.preventDefault();
    const url = new URL(location.href), label = url.searchParams.get("open");
    url.searchParams.delete("open");
    history.replaceState(history.state, "", url);
    showPeek(false);
    $$("#queue tr[aria-current]").forEach((row) => { row.removeAttribute("aria-current"); row.classList.remove("sel"); });
    if (label) $(`#lead-${label.replace("EXC-", "")}`)?.focus();
  }
  function markRow(link) {
    $$("#queue tr[aria-current]").forEach((row) => { row.removeAttribute("aria-current"); row.classList.remove("sel"); });
    const row = link.closest("tr");
    row.setAttribute("aria-current", "true");
    row.classList.add("sel");
  }

  document.addEventListener("click", (event) => {
    const pick = event.target.closest("input.pick");
    if (pick) { if (event.shiftKey && lastPick) { pickRange(pick); countPicks(); } lastPick = pick; }
    const copy = event.target.closest("[data-copy]");
    if (copy) { navigator.clipboard?.writeText(copy.dataset.copy); say("Copied"); }
    if (event.target.closest("[data-theme-toggle]")) { event.preventDefault(); toggleTheme(); }
    const opener = event.target.closest("[data-open]");
    if (opener) $(opener.dataset.open)?.showModal();
    if (event.target.closest("[data-close]")) event.target.closest("dialog").close();
    if (event.target.matches("dialog")) event.target.close();
    if (event.target.closest("[data-close-peek]")) closePeek(event);
    const look = event.target.closest("a.look");
    if (look) markRow(look);
    const shown = event.target.closest("a.ev[hx-get], a.stage[hx-get]");
    if (shown) {
      $$(".events > li.cur").forEach((line) => { line.classList.remove("cur"); line.removeAttribute("aria-current"); });
      $$("a.stage[aria-current]").forEach((stage) => stage.removeAttribute("aria-current"));
      if (shown.matches(".stage")) shown.setAttribute("aria-current", "true");
      else { shown.closest("li").classList.add("cur"); shown.closest("li").setAttribute("aria-current", "true"); }
    }
    $$("details.menu[open]").forEach((menu) => { if (!menu.contains(event.target)) menu.open = false; });
  });

  /* keyboard: single keys can be switched off (WCAG 2.1.4) and never act while typing or in a dialog */
  const row = () => document.activeElement?.closest("#queue tbody tr, #rows tbody tr");
  function move(step) {
    const leads = $$("#queue a.lead, #rows a.lead");
    if (!leads.length) return;
    const at = row() ? leads.indexOf($("a.lead", row())) : -1;
    leads[Math.max(0, Math.min(leads.length - 1, at + step))].focus();
  }
  function togglePick() {
    const pick = $("input.pick", row());
    if (pick) { pick.checked = !pick.checked; countPicks(); }
  }
  function act(button) {
    if (button.closest(".bulk[hidden]") && row()) togglePick();  /* nothing selected: the focused row is meant */
    if (button.offsetParent) button.click();
  }
  let going = 0;
  document.addEventListener("keydown", (event) => {
    const key = event.key, hit = (action) => { event.preventDefault(); action(); };
    if ((event.metaKey || event.ctrlKey) && key.toLowerCase() === "k") return hit(() => $("#find")?.focus());
    if (key === "Escape") {
      $$("details.menu[open]").forEach((menu) => { menu.open = false; });
      if ($("#peek:not([hidden])") && !$("dialog[open]") && !typing(event)) return closePeek(event);
    }
    if (event.metaKey || event.ctrlKey || event.altKey || typing(event) || $("dialog[open]") || root.dataset.keys === "off") return;
    if (going && Date.now() - going < GO_MILLISECONDS) {
      const link = $(`[data-go="${CSS.escape(key)}"]`);
      going = 0;
      if (link) return hit(() => link.click());
    }
    if (key === "g") { going = Date.now(); return; }
    if (key === "/") return hit(() => $("#find")?.focus());
    if (key === "?") return hit(() => $("#keys")?.togglePopover());
    if (key === "j" || (key === "ArrowDown" && row())) return hit(() => move(1));
    if (key === "k" || (key === "ArrowUp" && row())) return hit(() => move(-1));
    if (key === "x" && row()) return hit(togglePick);
    if (key === " " && row() && !event.target.matches("input, button, summary")) {
      const look = $("a.look", row());
      if (look) return hit(() => look.click());
    }
    const button = $(`[data-key="${CSS.escape(key)}"]:not([disabled])`);
    if (button && (button.offsetParent || button.closest(".bulk"))) return hit(() => act(button));
  });

  /* htmx: keep the selection over a swap, announce results, close dialogs that were sent */
  document.addEventListener("htmx:beforeRequest", () => $$("dialog[open]").forEach((dialog) => dialog.close()));
  document.addEventListener("htmx:beforeSwap", (event) => {
    if (event.detail.target.id === "queue") kept = new Set($$("#queue input.pick:checked").map((pick) => pick.value));
  });
  document.addEventListener("htmx:afterSettle", (event) => {
    const element = event.detail.elt || event.target;
    if (element.id === "peek" || event.detail.target?.id === "peek") {
      showPeek(true);
      if (matchMedia("(max-width: 68rem)").matches) $("#peek").scrollIntoView({ block: "start" });
    }
    if ($("#queue")) $$("#queue input.pick").forEach((pick) => { if (kept.has(pick.value)) pick.checked = true; });
    kept = new Set();
    countPicks();
    const said = element.matches("[data-say]") ? element : $("[data-say]", element);
    if (said) say(said.dataset.say);
  });
  document.addEventListener("htmx:responseError", () => say("The server could not complete that. Nothing was changed."));
  document.addEventListener("htmx:sendError", () => say("The server cannot be reached. Nothing was changed."));
  const first = $("#main [data-say]");
  if (first && first.matches(".notice")) say(first.dataset.say);
  countPicks();
})();
