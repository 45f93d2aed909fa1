import { CommandError } from "./errors.ts";

/** Where spans and metrics go, as the gateway takes it. */
export interface OtlpSettings {
  readonly tracesUrl?: string;
  readonly metricsUrl?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly resource?: Readonly<Record<string, string>>;
  readonly serviceName?: string;
}

/**
 * Reads OpenTelemetry's own variables (`OTEL_EXPORTER_OTLP_ENDPOINT`, `…_TRACES_ENDPOINT`, `…_METRICS_ENDPOINT`,
 * `…_HEADERS`, `OTEL_RESOURCE_ATTRIBUTES`, `OTEL_SERVICE_NAME`, `OTEL_SDK_DISABLED`); an endpoint that is given by flag
 * comes first. Undefined: nothing is sent.
 * @throws CommandError naming the variable that cannot be read
 */
export function readOtlpSettings(options: {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly endpoint?: string | undefined;
}): OtlpSettings | undefined {
  const { environment } = options;
  if (environment["OTEL_SDK_DISABLED"] === "true") return undefined;
  const prefix = "OTEL_EXPORTER_OTLP_";
  const endpoint = options.endpoint ?? environment[`${prefix}ENDPOINT`];
  const urlOf = (signal: "traces" | "metrics"): string | undefined => {
    const name = `${prefix}${signal.toUpperCase()}_ENDPOINT`;
    const own = options.endpoint === undefined ? environment[name] : undefined;
    if (own !== undefined && own !== "") return checkUrl(name, own);
    if (endpoint === undefined || endpoint === "") return undefined;
    return checkUrl(`${prefix}ENDPOINT`, `${endpoint.replace(/\/+$/, "")}/v1/${signal}`);
  };
  const tracesUrl = urlOf("traces");
  const metricsUrl = urlOf("metrics");
  if (tracesUrl === undefined && metricsUrl === undefined) return undefined;
  const serviceName = environment["OTEL_SERVICE_NAME"];
  return {
    ...(tracesUrl !== undefined && { tracesUrl }),
    ...(metricsUrl !== undefined && { metricsUrl }),
    headers: readPairs(`${prefix}HEADERS`, environment),
    resource: readPairs("OTEL_RESOURCE_ATTRIBUTES", environment),
    ...(serviceName !== undefined && serviceName !== "" && { serviceName }),
  };
}

function checkUrl(name: string, url: string): string {
  if (/^https?:\/\//.test(url) && URL.canParse(url)) return url;
  throw new CommandError({
    code: "invalid_otlp",
    message: `${name}: ${url} is no http URL`,
    hint: `${name}=http://127.0.0.1:4318`,
  });
}

/** `name=value,name=value`, percent-encoded as W3C's baggage. */
function readPairs(
  name: string,
  environment: Readonly<Record<string, string | undefined>>,
): Readonly<Record<string, string>> {
  const text = environment[name] ?? "";
  const pairs = text.split(",").filter((pair) => pair.trim() !== "");
  return Object.fromEntries(
    pairs.map((pair) => {
      const equals = pair.indexOf("=");
      const value = pair.slice(equals + 1).trim();
      if (equals <= 0) {
        throw new CommandError({
          code: "invalid_otlp",
          message: `${name}: expected name=value, found "${pair.trim()}"`,
          hint: `${name}=name=value,other=value`,
        });
      }
      return [pair.slice(0, equals).trim(), decode(value)];
    }),
  );
}

function decode(value: string): string {
  try {
    return decodeURIComponent(value);
  } catch {
    return value;
  }
}
