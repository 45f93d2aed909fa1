const names = new Intl.DisplayNames("en", { type: "language", fallback: "none" });

/**
 * A language as the English word that some providers want: `fr` and `fr-CA` become `French`; what is no code (such as
 * `French` or `auto`) stays as it is.
 */
export function languageName(language: string): string {
  if (!/^[a-z]{2,3}(?:[-_].*)?$/.test(language)) return language;
  const [code = language] = language.split(/[-_]/, 1);
  return names.of(code) ?? language;
}
