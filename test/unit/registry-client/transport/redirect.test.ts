import { expect, test } from "vitest";
import {
  isLoopbackHost,
  redactUrl,
  resolveAddress,
} from "../../../../registry-client/transport/redirect.ts";

function resolve(registry: string, address: string): string {
  const base = new URL(registry);
  return resolveAddress({ address, base, registry: base, what: "Location" }).href;
}

test.each([
  ["https://r.example/", "/v2/x?_state=a%2Fb%3D", "https://r.example/v2/x?_state=a%2Fb%3D"],
  ["https://r.example/", "https://cdn.example/b?sig=1", "https://cdn.example/b?sig=1"],
  ["https://r.example:8443/", "http://r.example:8443/v2/x", "https://r.example:8443/v2/x"],
  ["https://r.example/", "http://r.example/v2/x", "https://r.example/v2/x"],
  ["http://127.0.0.1:5000/", "http://127.0.0.1:6000/token", "http://127.0.0.1:6000/token"],
  ["http://localhost:5000/", "http://127.0.0.1:6000/token", "http://127.0.0.1:6000/token"],
])("%s may send us to %s", (registry, address, expected) => {
  expect(resolve(registry, address)).toBe(expected);
});

// A hostile registry must not reach what only this machine can reach, nor take TLS away.
test.each([
  "http://cdn.example/b",
  "https://169.254.169.254/latest/meta-data",
  "https://10.0.0.1/x",
  "https://[fe80::1]/x",
  "https://[::ffff:127.0.0.1]/x",
  "https://127.0.0.1:2375/x",
  "https://2130706433/x",
  "https://user:pw@cdn.example/",
  "file:///etc/passwd",
  "ftp://x.example/",
  "https://",
])("https://r.example may not send us to %s", (address) => {
  expect(() => resolve("https://r.example/", address)).toThrow(
    expect.objectContaining({ code: "unsafe-address" }),
  );
});

test("loopback hosts and nothing that looks like them", () => {
  expect(["localhost", "127.0.0.1", "127.1.2.3", "[::1]"].every(isLoopbackHost)).toBe(true);
  expect(["localhost.example", "127.0.0.1.example", "10.0.0.1", "[::2]"].some(isLoopbackHost)).toBe(
    false,
  );
});

test("addresses lose their query before anybody reads them", () => {
  expect(redactUrl(new URL("https://s3.example/b?X-Amz-Signature=secret"))).toBe(
    "https://s3.example/b?…",
  );
});
