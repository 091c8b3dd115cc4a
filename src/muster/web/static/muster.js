// What pages do beyond links and forms. Everything works without it; this makes it quicker.
"use strict";

(() => {
  const TOAST_SECONDS = 6;
  const each = (selector, work, root = document) => root.querySelectorAll(selector).forEach(work);

  // --- theme: a cookie, so that the server draws the right one from the start ---------------------------
  const dark = () => {
    const chosen = document.documentElement.dataset.theme;
    return chosen === "auto" ? matchMedia("(prefers-color-scheme: dark)").matches : chosen === "dark";
  };
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-theme-toggle]");
    if (!button) return;
    event.preventDefault();
    const theme = dark() ? "light" : "dark";
    document.documentElement.dataset.theme = theme;
    document.cookie = `muster_theme=${theme}; path=/; max-age=31536000; samesite=lax${location.protocol === "https:" ? "; secure" : ""}`;
  });

  // --- toasts: 6 s, errors stay --------------------------------------------------------------------------
  const fade = (toast) => {
    if (!toast.classList.contains("m-toast-problem")) setTimeout(() => toast.remove(), TOAST_SECONDS * 1000);
  };
  const undoForm = (action, fields) => {
    const form = document.createElement("form");
    Object.assign(form, { className: "m-inline", method: "post", action });
    const token = JSON.parse(document.body.getAttribute("hx-headers"))["x-csrftoken"];
    for (const [name, value] of Object.entries({ ...fields, _csrf_token: token })) {
      form.append(Object.assign(document.createElement("input"), { type: "hidden", name, value }));
    }
    form.append(Object.assign(document.createElement("button"), { className: "m-link", type: "submit", textContent: "Undo" }));
    return form;
  };
  const showToast = ({ text, kind = "done", undo = null, undo_fields = {} }) => {
    const toast = document.getElementById("toast-template").content.firstElementChild.cloneNode(true);
    const icons = document.querySelector("svg.m-icon use").getAttribute("href").split("#")[0];
    toast.classList.add(`m-toast-${kind}`);
    toast.querySelector(".m-toast-text").textContent = text;
    if (undo) toast.querySelector(".m-toast-text").append(" ", undoForm(undo, undo_fields));
    const name = kind === "done" ? "circle-check" : "alert-circle";
    toast.querySelector(".m-toast-icon").innerHTML = `<svg class="m-icon"><use href="${icons}#${name}"></use></svg>`;
    document.getElementById("toasts").append(toast);
    fade(toast);
  };
  each("[data-toast]", fade);
  document.body.addEventListener("toast", (event) => showToast(event.detail));
  document.body.addEventListener("htmx:sendError", () =>
    showToast({ text: "The server did not answer. What you see may be out of date; try again.", kind: "problem" }));
  document.body.addEventListener("htmx:responseError", (event) => {
    const { xhr } = event.detail;
    if (xhr.status === 401) return location.reload();
    let text = "That did not work. Reload the page and try again.";
    try {
      const problem = JSON.parse(xhr.responseText);
      text = [problem.detail, problem.remedy].filter(Boolean).join(" ");
    } catch { /* not a problem document: the general sentence stands */ }
    showToast({ text, kind: "problem" });
  });
  // A refused form comes back as 422 with its mistakes in it, what somebody else changed meanwhile as 409
  // with how it now stands: show it where the form was.
  document.body.addEventListener("htmx:beforeSwap", (event) => {
    if ([409, 422].includes(event.detail.xhr.status) && event.detail.xhr.getResponseHeader("content-type")?.startsWith("text/html")) {
      event.detail.shouldSwap = true;
      event.detail.isError = false;
    }
  });

  // --- dialogs, menus ------------------------------------------------------------------------------------
  let opener = null;
  document.addEventListener("click", (event) => {
    const open = event.target.closest("[data-dialog]");
    if (open) {
      const dialog = document.getElementById(open.dataset.dialog);
      if (dialog?.showModal) {
        event.preventDefault();
        opener = open;
        dialog.showModal();
      }
      return;
    }
    const close = event.target.closest("[data-close]");
    if (close) (close.closest("dialog") ?? close.closest("[data-toast]"))?.[close.closest("dialog") ? "close" : "remove"]();
    each("details.m-add[open], details.m-more[open]", (menu) => { if (!menu.contains(event.target)) menu.open = false; });
  });
  document.addEventListener("close", (event) => { if (event.target.matches("dialog")) opener?.focus(); }, true);

  // --- passwords, copying, selects that submit -----------------------------------------------------------
  document.addEventListener("click", (event) => {
    const reveal = event.target.closest("[data-reveal]");
    if (reveal) {
      const field = document.getElementById(reveal.dataset.reveal);
      const shown = field.type === "password";
      field.type = shown ? "text" : "password";
      reveal.setAttribute("aria-pressed", String(shown));
    }
    const copy = event.target.closest("[data-copy]");
    if (copy) {
      navigator.clipboard.writeText(document.getElementById(copy.dataset.copy).textContent.trim())
        .then(() => showToast({ text: "Copied." }), () => showToast({ text: "The browser did not allow copying. Select the text and copy it.", kind: "problem" }));
    }
  });
  document.addEventListener("change", (event) => {
    const form = event.target.closest("form[data-submit-on-change]");
    if (form) form.requestSubmit();
    const all = event.target.closest("[data-choose-all]");
    if (all) each("tbody input[type=checkbox]", (box) => { box.checked = all.checked; }, document.getElementById(all.dataset.chooseAll));
  });

  // --- a list with one of its things beside it: the focus goes along, Esc closes, Ctrl opens a tab --------
  document.body.addEventListener("htmx:afterSettle", (event) => {
    const wanted = event.detail.requestConfig?.elt.dataset?.focus;
    if (wanted) document.getElementById(wanted)?.focus({ preventScroll: true });
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || event.defaultPrevented) return;
    if (document.querySelector("dialog[open], details.m-add[open], [data-popover]")) return;
    if (event.target.matches?.("input[type=search], textarea")) return;
    document.querySelector("[data-pane-close]")?.click();
  }, true);
  document.addEventListener("click", (event) => {
    if ((event.ctrlKey || event.metaKey || event.shiftKey) && event.target.closest("a[hx-get]")) event.stopImmediatePropagation();
  }, true);

  // --- times: exact ones in the reader's own zone, relative ones kept true --------------------------------
  const span = (seconds) => {
    const whole = Math.floor(Math.abs(seconds));
    if (whole < 60) return `${whole} s`;
    if (whole < 3600) return `${Math.floor(whole / 60)} min`;
    if (whole < 172800) return `${Math.floor(whole / 3600)} h`;
    return `${Math.floor(whole / 86400)} days`;
  };
  const tell = (root = document) => each("time.m-time", (time) => {
    const moment = new Date(time.dateTime);
    const seconds = (Date.now() - moment) / 1000;
    time.title = moment.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "long" });
    time.textContent = Math.abs(seconds) < 10 ? "just now" : seconds > 0 ? `${span(seconds)} ago` : `in ${span(seconds)}`;
  }, root);
  tell();
  setInterval(tell, 30000);
  document.body.addEventListener("htmx:load", (event) => tell(event.target));

  // --- keyboard: / searches, j and k walk rows, Enter opens, Esc closes ----------------------------------
  const rows = () => [...document.querySelectorAll("[data-rows] tbody tr")].filter((row) => row.offsetParent);
  const walk = (step) => {
    const all = rows();
    if (!all.length) return;
    const at = all.findIndex((row) => row.classList.contains("m-selected"));
    const next = all[Math.min(Math.max(at + step, 0), all.length - 1)];
    all[at]?.classList.remove("m-selected");
    next.classList.add("m-selected");
    next.querySelector("a")?.focus({ preventScroll: true });
    next.scrollIntoView({ block: "nearest" });
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape") {
      each("details.m-add[open], details.m-more[open]", (menu) => { menu.open = false; menu.querySelector("summary").focus(); });
      if (event.target.matches?.("[data-search]")) event.target.blur();
      return;
    }
    if (event.target.matches?.("input, textarea, select, [contenteditable]") || document.querySelector("dialog[open]")) return;
    if (event.key === "/") { event.preventDefault(); document.querySelector("[data-search]")?.focus(); }
    if (event.key === "j") walk(1);
    if (event.key === "k") walk(-1);
  });

  // --- popovers: what a link appends to its cell; Esc and a click elsewhere close them -------------------
  const popovers = () => [...document.querySelectorAll("[data-popover]")];
  const closePopover = (popover, focus) => {
    const link = popover.parentElement.querySelector("[data-opens]");
    popover.remove();
    if (focus) link?.focus();
  };
  document.body.addEventListener("htmx:beforeRequest", (event) => {
    const link = event.target.closest("[data-opens]");
    if (!link || event.detail.elt !== link) return;
    const open = link.parentElement.closest("td")?.querySelector("[data-popover]");
    popovers().forEach((popover) => closePopover(popover, false));
    if (open) event.preventDefault();
  });
  document.addEventListener("click", (event) => {
    if (!event.target.isConnected || event.target.closest("[data-opens]")) return;
    popovers().filter((popover) => !popover.contains(event.target)).forEach((popover) => closePopover(popover, false));
  });
  document.body.addEventListener("htmx:load", (event) => {
    if (event.target.matches?.("[data-popover]")) event.target.scrollIntoView({ block: "nearest" });
  });
  document.addEventListener("keydown", (event) => {
    const popover = event.key === "Escape" && popovers().at(-1);
    if (popover) { event.preventDefault(); closePopover(popover, true); }
  });

  // --- pickers: the focus stays in the field, arrows mark an option of the list, Enter takes it -----------
  const mark = (picker, options, option) => {
    options.forEach((each) => each.setAttribute("aria-selected", String(each === option)));
    picker.querySelector("[role=combobox]")?.setAttribute("aria-activedescendant", option?.id ?? "");
    option?.scrollIntoView({ block: "nearest" });
  };
  // While the list of what was typed is on its way, what is marked is of what stood there before: wait for it.
  const take = (picker, field) => {
    const typed = picker.querySelector("[data-typed]")?.dataset.typed ?? "";
    if (typed !== field.value.trim()) picker.dataset.taken = "";
    else picker.querySelector("[aria-selected=true]")?.click();
  };
  document.body.addEventListener("htmx:afterSettle", (event) => {
    const picker = event.target.closest?.("[data-picker][data-taken]");
    const field = picker?.querySelector("[role=combobox]");
    if (field) take(picker, field);
  });
  document.addEventListener("keydown", (event) => {
    const picker = event.target.closest?.("[data-picker]");
    const field = picker?.querySelector("[role=combobox]");
    if (!picker || (field && event.target !== field) || !["ArrowDown", "ArrowUp", "Enter"].includes(event.key)) return;
    const options = [...picker.querySelectorAll("[role=option], .m-option")];
    const at = options.findIndex((each) => each === document.activeElement || each.getAttribute("aria-selected") === "true");
    if (event.key === "Enter") {
      if (!field) return;
      event.preventDefault();
      take(picker, field);
      return;
    }
    if (field) delete picker.dataset.taken;
    if (!options.length) return;
    event.preventDefault();
    const next = options[Math.min(Math.max(at + (event.key === "ArrowDown" ? 1 : -1), 0), options.length - 1)];
    if (field) mark(picker, options, next); else next.focus();
  });
})();
