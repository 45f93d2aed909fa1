import { createServer, type Server } from "node:http";
import type { AddressInfo, LookupFunction } from "node:net";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import {
  checkUrl,
  createGuardedDispatcher,
  isClosedAddress,
  isRefusedTarget,
  parseAllowList,
} from "../../../../gateway/http/url-guard.ts";

// Whoever may call a model may name a URL. When this fails, he reads the cloud's metadata or the services of the
// operator's network through the platform.

describe("a URL's text", () => {
  it.each([
    ["loopback", "https://127.0.0.1/"],
    ["loopback, short", "https://127.1/"],
    ["loopback, decimal", "https://2130706433/"],
    ["loopback, hexadecimal", "https://0x7f000001/"],
    ["loopback, octal", "https://0177.0.0.1/"],
    ["loopback, in full-width digits", "https://１２７.0.0.1/"],
    ["this machine by name", "https://localhost/"],
    ["this machine by name and root dot", "https://LOCALHOST./"],
    ["this machine under a name", "https://a.localhost/"],
    ["any address", "https://0/"],
    ["IPv6 loopback", "https://[::1]/"],
    ["IPv6 unspecified", "https://[::]/"],
    ["IPv4-mapped loopback", "https://[::ffff:127.0.0.1]/"],
    ["IPv4-mapped, in groups", "https://[::ffff:a9fe:a9fe]/"],
    ["IPv4-compatible", "https://[::127.0.0.1]/"],
    ["NAT64 of the metadata address", "https://[64:ff9b::a9fe:a9fe]/"],
    ["local NAT64", "https://[64:ff9b:1::1]/"],
    ["6to4", "https://[2002:7f00:1::]/"],
    ["Teredo", "https://[2001:0:4136:e378::1]/"],
    ["unique local", "https://[fd00:ec2::254]/"],
    ["link-local", "https://[fe80::1]/"],
    ["multicast", "https://[ff02::1]/"],
    ["metadata", "https://169.254.169.254/latest/meta-data/"],
    ["metadata of Alibaba", "https://100.100.100.200/"],
    ["wire server of Azure", "https://168.63.129.16/"],
    ["private 10", "https://10.1.2.3/"],
    ["private 172", "https://172.31.255.255/"],
    ["private 192", "https://192.168.0.1/"],
    ["carrier-grade NAT", "https://100.64.0.1/"],
    ["broadcast", "https://255.255.255.255/"],
    ["plain HTTP", "http://example.com/"],
    ["credentials", "https://user:secret@example.com/"],
    ["a user name alone", "https://example.com@10.0.0.1/"],
    ["another protocol", "file:///etc/passwd"],
    ["yet another protocol", "gopher://example.com/"],
    ["a mail server's port", "https://example.com:25/"],
    ["a backslash", "https://example.com\\@10.0.0.1/"],
    ["a line end", "https://exam\nple.com/"],
    ["no URL", "example.com"],
    ["an unknown form of address", "https://[::ffff:1.2.3.4.5]/"],
  ])("is refused: %s", (_name, text) => {
    expect(() => checkUrl(text, { parameter: "webhook" })).toThrow(
      expect.objectContaining({ code: "invalid_request", parameter: "webhook" }),
    );
  });

  it.each([
    "https://example.com/hook?a=b",
    "https://example.com:8443/",
    "https://8.8.8.8/",
    "https://172.32.0.1/",
    "https://[2606:4700:4700::1111]/",
    "https://[64:ff9b::808:808]/",
  ])("is accepted: %s", (text) => {
    expect(checkUrl(text).href).toBe(text);
  });

  it("may lead to what the operator allows, by plain HTTP and any port too, and nowhere else", () => {
    const allow = parseAllowList(["hooks.internal", "10.2.0.0/16", "fd12::/32", "127.0.0.1"]);
    for (const text of [
      "http://hooks.internal:81/",
      "http://10.2.3.4/",
      "https://[fd12::5]/",
      "http://127.0.0.1:3000/",
      // It may have an allowed address: the connection decides.
      "http://other.internal/",
    ]) {
      expect(checkUrl(text, { allow }).href).toBe(text);
    }
    for (const text of ["http://10.3.0.1/", "http://127.0.0.2/", "https://[fd13::1]/"]) {
      expect(() => checkUrl(text, { allow })).toThrow("not a public address");
    }
  });

  it.each(["10.0.0.0/33", "10.0.0.0/", "a b", "https://x", "10.0.0.0/8/8", ""])(
    "an operator's %j is refused instead of opening something else",
    (entry) => {
      expect(() => parseAllowList([entry])).toThrow(RangeError);
    },
  );

  it("an address that nobody can read is closed", () => {
    expect(isClosedAddress("fe80::1%eth0")).toBe(true);
    expect(isClosedAddress("not an address")).toBe(true);
  });
});

describe("a connection", () => {
  let server: Server;
  let port = 0;
  let requests: string[] = [];
  beforeEach(async () => {
    requests = [];
    server = createServer((request, response) => {
      requests.push(request.url ?? "");
      if (request.url === "/redirect") {
        response.writeHead(307, { location: `http://127.0.0.1:${port}/secret` }).end();
      } else {
        response.end("reached");
      }
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    ({ port } = server.address() as AddressInfo);
  });
  afterEach(() => new Promise((resolve) => server.close(resolve)));

  /** A resolver that answers differently each time, as rebinding does. */
  const resolver = (...answers: readonly (readonly string[])[]): LookupFunction => {
    let asked = 0;
    return (_hostname, _options, callback) => {
      const addresses = answers[Math.min(asked, answers.length - 1)] ?? [];
      asked += 1;
      callback(
        null,
        addresses.map((address) => ({ address, family: address.includes(":") ? 6 : 4 })),
      );
    };
  };
  const call = async (
    options: Parameters<typeof createGuardedDispatcher>[0],
    origin: string,
    path = "/",
  ): Promise<number> => {
    const dispatcher = createGuardedDispatcher(options);
    try {
      const answer = await dispatcher.request({ origin, path, method: "POST" });
      await answer.body.dump();
      return answer.statusCode;
    } finally {
      await dispatcher.destroy();
    }
  };
  const failure = (call: Promise<unknown>): Promise<unknown> =>
    call.then(
      () => "reached",
      (error: unknown) => error,
    );

  it("is not made to a private address behind a public name, whatever was resolved before", async () => {
    const lookup = resolver(["127.0.0.1"]);
    const error = await failure(call({ lookup }, `https://innocent.example:${port}`));
    expect(isRefusedTarget(error)).toBe(true);
    expect(requests).toEqual([]);
  });

  it("is not made when one of several addresses is private", async () => {
    const lookup = resolver(["93.184.215.14", "::ffff:127.0.0.1"]);
    const error = await failure(call({ lookup }, `https://mixed.example:${port}`));
    expect(isRefusedTarget(error)).toBe(true);
  });

  it("is not made to a private address that needs no lookup", async () => {
    for (const host of ["127.0.0.1", "[::1]", "[::ffff:127.0.0.1]"]) {
      const error = await failure(call({}, `https://${host}:${port}`));
      expect(isRefusedTarget(error)).toBe(true);
    }
  });

  it("is not made by plain HTTP to a public host", async () => {
    const allow = parseAllowList(["10.0.0.0/8"]);
    const lookup = resolver(["93.184.215.14"]);
    expect(isRefusedTarget(await failure(call({ allow, lookup }, "http://public.example")))).toBe(
      true,
    );
  });

  it("is made to what the operator allows, and no redirect is followed", async () => {
    const allow = parseAllowList(["127.0.0.0/8"]);
    const lookup = resolver(["127.0.0.1"]);
    expect(await call({ allow, lookup }, `http://hooks.internal:${port}`)).toBe(200);
    expect(await call({ allow }, `http://127.0.0.1:${port}`, "/redirect")).toBe(307);
    const byName = parseAllowList(["hooks.internal"]);
    expect(await call({ allow: byName, lookup }, `http://hooks.internal:${port}`)).toBe(200);
    expect(requests).toEqual(["/", "/redirect", "/"]);
  });
});
