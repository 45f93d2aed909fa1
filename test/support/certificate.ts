import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

/** A key and its self-signed certificate for 127.0.0.1, both PEM and as files. */
export interface TestCertificate {
  readonly key: string;
  readonly certificate: string;
  readonly keyFile: string;
  readonly certificateFile: string;
}

/** Makes one with openssl, valid for two days, in this directory. */
export async function makeCertificate(directory: string): Promise<TestCertificate> {
  const keyFile = join(directory, "test.key");
  const certificateFile = join(directory, "test.pem");
  const subject = [
    "-subj",
    "/CN=127.0.0.1",
    "-addext",
    "subjectAltName=IP:127.0.0.1",
    "-days",
    "2",
  ];
  const files = ["-keyout", keyFile, "-out", certificateFile];
  const request = ["req", "-x509", "-newkey", "rsa:2048", "-nodes"];
  await promisify(execFile)("openssl", [...request, ...subject, ...files]);
  const [key, certificate] = await Promise.all([
    readFile(keyFile, "utf8"),
    readFile(certificateFile, "utf8"),
  ]);
  return { key, certificate, keyFile, certificateFile };
}
