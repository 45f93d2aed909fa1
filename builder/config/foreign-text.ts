/** What a text that is no YAML most probably is; undefined where the syntax error says it best. */
export function describeForeignText(
  text: string,
): { readonly message: string; readonly hint: string } | undefined {
  if (/^\s*(?:"""|''')/.test(text)) {
    return {
      message: "not YAML: it begins with a Python docstring",
      hint: "begin each line of the text with # and remove the quotes",
    };
  }
  if (/^\s*<(?:!doctype|html|\?xml)/i.test(text)) {
    return {
      message: "not YAML: it is a web page",
      hint: "download the file itself, not the page that shows it",
    };
  }
  return undefined;
}

/** Pasted twice, most often: every key is there again. `line` is that of the first one. */
export function describeRepeatedText(
  text: string,
  line: number,
): { readonly message: string; readonly hint: string } | undefined {
  if ((text.match(/^build:/gm) ?? []).length < 2) return undefined;
  return {
    message: `the whole file is there twice: it begins again in line ${line}`,
    hint: `remove everything from line ${line} on`,
  };
}
