import type { Segment } from "./transcription.ts";

/** Segments as SubRip (`.srt`). */
export function renderSrt(segments: readonly Segment[]): string {
  return segments
    .map(
      ({ start, end, text }, index) =>
        `${index + 1}\n${time(start, ",")} --> ${time(end, ",")}\n${line(text)}\n\n`,
    )
    .join("");
}

/** Segments as WebVTT (https://www.w3.org/TR/webvtt1/). */
export function renderVtt(segments: readonly Segment[]): string {
  const cues = segments.map(
    // `-->` in a text would read as another time line.
    ({ start, end, text }) =>
      `${time(start, ".")} --> ${time(end, ".")}\n${line(text).replaceAll("-->", "->")}\n\n`,
  );
  return `WEBVTT\n\n${cues.join("")}`;
}

/** An empty line ends a subtitle, so its text has none. */
function line(text: string): string {
  return text.trim().replaceAll(/\s*\n\s*/g, "\n");
}

/** `01:02:03,456`. */
function time(seconds: number, point: "," | "."): string {
  const ms = Math.max(0, Math.round(seconds * 1000));
  const two = (value: number): string => String(value).padStart(2, "0");
  const [hours, minutes] = [Math.floor(ms / 3_600_000), Math.floor(ms / 60_000) % 60];
  const rest = `${two(Math.floor(ms / 1000) % 60)}${point}${String(ms % 1000).padStart(3, "0")}`;
  return `${two(hours)}:${two(minutes)}:${rest}`;
}
