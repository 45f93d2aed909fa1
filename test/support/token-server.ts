import { randomUUID, sign } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import { makeCertificate } from "./certificate.ts";

/** A token server as CNCF Distribution understands it (distribution, "Token Authentication Implementation"). */
export interface TokenServer extends AsyncDisposable {
  readonly realm: string;
  readonly service: string;
  readonly issuer: string;
  /** PEM; the registry trusts tokens signed with its key. */
  readonly certificate: string;
  /** Scopes that were asked for, in order. */
  readonly granted: readonly string[][];
}

/** Grants user `tester` (password `correct horse`) what is asked, and anybody pulling from `public/…`. */
export async function startTokenServer(options: {
  /** For the key and the certificate. */
  readonly directory: string;
  readonly lifeSeconds: number;
}): Promise<TokenServer> {
  const { key, certificate } = await makeCertificate(options.directory);
  const service = "test-registry";
  const issuer = "test-issuer";
  const granted: string[][] = [];
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? "", "http://token.test");
    const scopes = url.searchParams.getAll("scope").flatMap((scope) => scope.split(" "));
    const isKnown = request.headers.authorization === basicHeader;
    if (!isKnown && request.headers.authorization !== undefined) {
      response
        .writeHead(401)
        .end('{"errors":[{"code":"UNAUTHORIZED","message":"wrong password"}]}');
      return;
    }
    granted.push(scopes);
    const access = scopes
      .map(parseScope)
      .filter(({ name }) => isKnown || name.startsWith("public/"));
    const now = Math.floor(Date.now() / 1000);
    const claims = {
      iss: issuer,
      sub: "tester",
      aud: service,
      nbf: now - 5,
      iat: now,
      exp: now + options.lifeSeconds,
      jti: randomUUID(),
      access: isKnown ? access : access.map((entry) => ({ ...entry, actions: ["pull"] })),
    };
    const token = signToken(claims, key, certificate);
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify({ token, expires_in: options.lifeSeconds }));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return {
    realm: `http://127.0.0.1:${address.port}/token`,
    service,
    issuer,
    certificate,
    granted,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

const basicHeader = `Basic ${Buffer.from("tester:correct horse").toString("base64")}`;

function parseScope(scope: string): { type: string; name: string; actions: string[] } {
  const [type = "", ...rest] = scope.split(":");
  const actions = rest.pop() ?? "";
  return { type, name: rest.join(":"), actions: actions.split(",") };
}

function signToken(claims: unknown, key: string, certificate: string): string {
  const x5c = [certificate.replace(/-----[^-]+-----|\s/g, "")];
  const encode = (value: unknown): string =>
    Buffer.from(JSON.stringify(value)).toString("base64url");
  const payload = `${encode({ typ: "JWT", alg: "RS256", x5c })}.${encode(claims)}`;
  return `${payload}.${sign("sha256", Buffer.from(payload), key).toString("base64url")}`;
}
