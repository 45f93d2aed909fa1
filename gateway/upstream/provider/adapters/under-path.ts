import type { ProviderCall, ProviderEvent, ProviderHttp, ProviderRequest } from "../adapter.ts";

/**
 * The same call with its requests under a path, for providers that serve OpenAI's shapes beside their own. `check` sees
 * each answer first, and throws for one that only looks well.
 */
export function underPath(
  call: ProviderCall,
  path: string,
  check?: (http: ProviderHttp, body: unknown) => void,
): ProviderCall {
  const { http } = call;
  const moved = (request: ProviderRequest): ProviderRequest => ({
    ...request,
    path: `${path}${request.path}`,
  });
  return {
    ...call,
    http: {
      ...http,
      async json(request) {
        const answer = await http.json(moved(request));
        check?.(http, answer.body);
        return answer;
      },
      events(request) {
        const events = http.events(moved(request));
        return check === undefined ? events : checked(http, events, check);
      },
    },
  };
}

async function* checked(
  http: ProviderHttp,
  events: AsyncIterable<ProviderEvent>,
  check: (http: ProviderHttp, body: unknown) => void,
): AsyncGenerator<ProviderEvent, void, void> {
  for await (const event of events) {
    check(http, parse(event.data));
    yield event;
  }
}

/** `[DONE]` is no JSON; who reads the event says what else must be. */
function parse(data: string): unknown {
  try {
    return JSON.parse(data);
  } catch {
    return undefined;
  }
}
