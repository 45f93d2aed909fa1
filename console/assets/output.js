import { copyButton, element, fill } from "./dom.js";

/** Longer JSON is cut in the page; the copy button has it whole. */
const shownCharactersMax = 20_000;

/** An area for the output of one run: text that grows, or values of any kind. */
export function createOutputView() {
  const view = element("div", { class: "output" });
  let text;
  return {
    view,
    clear() {
      text = undefined;
      fill(view);
    },
    /** Adds a piece of streamed text. */
    addText(piece) {
      if (text === undefined) {
        text = element("pre", { class: "output-text" });
        fill(view, text);
      }
      text.append(piece);
    },
    /** Shows the whole output: text, picture, sound, film, file, a list of them, or JSON. */
    show(output, { isText }) {
      text = undefined;
      fill(view, renderValue(isText && Array.isArray(output) ? output.join("") : output));
    },
  };
}

function renderValue(value) {
  if (value === undefined || value === null) {
    return element("p", { class: "dim" }, "The model answered without an output.");
  }
  if (typeof value === "string") return renderString(value);
  if (Array.isArray(value) && value.length > 0 && value.every(isMedia)) {
    return element("div", { class: "gallery" }, value.map(renderString));
  }
  const media = Object.entries(typeof value === "object" ? value : {}).filter(([, one]) =>
    isMedia(one),
  );
  return [
    media.map(([name, one]) =>
      element("figure", {}, element("figcaption", {}, name), renderString(one)),
    ),
    renderJson(value),
  ];
}

function renderJson(value) {
  const whole = JSON.stringify(value, undefined, 2);
  const short = JSON.stringify(value, shortenMedia, 2);
  const isCut = short.length > shownCharactersMax;
  return element(
    "div",
    { class: "json" },
    copyButton(() => whole),
    element("pre", { class: "code" }, isCut ? `${short.slice(0, shownCharactersMax)}\n…` : short),
  );
}

function shortenMedia(_key, value) {
  return typeof value === "string" ? shortenDataUri(value) : value;
}

/** The first characters of a long data URI. */
export function shortenDataUri(text) {
  return /^data:[^,]{0,100},/.test(text) && text.length > 120 ? `${text.slice(0, 60)}…` : text;
}

function isMedia(value) {
  return typeof value === "string" && kindOf(value) !== undefined;
}

const kindByEnding = {
  png: "image",
  jpg: "image",
  jpeg: "image",
  webp: "image",
  gif: "image",
  avif: "image",
  mp3: "audio",
  wav: "audio",
  ogg: "audio",
  flac: "audio",
  m4a: "audio",
  mp4: "video",
  webm: "video",
  mov: "video",
};

/** `image`, `audio`, `video`, or `file` for other data and addresses; undefined for text. */
function kindOf(value) {
  const data = /^data:([a-z]+)\/[\w.+-]+[;,]/i.exec(value);
  if (data !== null) return ["image", "audio", "video"].includes(data[1]) ? data[1] : "file";
  const url = webAddress(value);
  if (url === undefined) return undefined;
  return kindByEnding[url.pathname.split(".").at(-1)?.toLowerCase() ?? ""] ?? "file";
}

/** An `http` or `https` address; anything else, such as `javascript:`, is text. */
function webAddress(value) {
  if (!/^https?:\/\/\S+$/i.test(value)) return undefined;
  return URL.parse(value) ?? undefined;
}

function renderString(value) {
  const kind = kindOf(value);
  if (kind === undefined) return element("pre", { class: "output-text" }, value);
  const isOwn = value.startsWith("data:") || webAddress(value)?.origin === location.origin;
  return element(
    "figure",
    { class: "media" },
    // The page asks no other host for anything: what lies elsewhere is a link.
    isOwn && renderMedia(kind, value),
    element("figcaption", {}, fileLink(value, isOwn)),
  );
}

function renderMedia(kind, source) {
  switch (kind) {
    case "image":
      return element("img", { src: source, alt: "The picture that the model made" });
    case "audio":
      return element("audio", {
        src: source,
        controls: true,
        "aria-label": "The sound that the model made",
      });
    case "video":
      return element("video", {
        src: source,
        controls: true,
        playsinline: true,
        "aria-label": "The film that the model made",
      });
    default:
      return undefined;
  }
}

function fileLink(value, isOwn) {
  if (!isOwn) {
    return element(
      "a",
      { href: value, target: "_blank", rel: "noopener noreferrer" },
      `Open ${value.slice(0, 100)}`,
    );
  }
  const ending = /^data:\w+\/([\w-]+)/.exec(value)?.[1] ?? "";
  return element(
    "a",
    { href: value, download: ending === "" ? "output" : `output.${ending}` },
    "Download",
  );
}
