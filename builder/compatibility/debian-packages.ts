/**
 * Packages that current Debian and Ubuntu no longer have, and their successors, which the older releases have too.
 * Source: packages.debian.org (trixie) and packages.ubuntu.com (noble), November 2026.
 */
export const renamedDebianPackages: Readonly<Record<string, string>> = {
  "libgl1-mesa-glx": "libgl1",
  "libegl1-mesa": "libegl1",
  "libgles2-mesa": "libgles2",
};
