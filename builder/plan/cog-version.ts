/** Upstream packages that byom installs when cog.yaml asks for none (newest on PyPI in November 2026). */
export const cogVersionDefault = "0.23.1";
export const cogletVersionDefault = "0.23.1";
