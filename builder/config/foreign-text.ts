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
  const line = secondBuild(text);
  if (line === undefined) return undefined;
  return {
    message: `the whole file is there twice: build: stands again in line ${line}`,
    hint: `remove everything from line ${line} on`,
  };
}

function secondBuild(text: string): number | undefined {
  const lines = text.split(/\r?\n/);
  const [, second] = lines.flatMap((line, index) => (line.startsWith("build:") ? [index + 1] : []));
  return second;
}
