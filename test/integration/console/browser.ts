import { existsSync } from "node:fs";

import { chromium, type Browser } from "playwright-core";

/** Debian's package; nothing is downloaded for a test. */
export const browserPath = "/usr/bin/chromium";
export const hasBrowser: boolean = existsSync(browserPath);

/** A headless Chromium that asks nobody for anything but the page under test. */
export function launchBrowser(): Promise<Browser> {
  return chromium.launch({
    executablePath: browserPath,
    args: [
      "--headless",
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
}
