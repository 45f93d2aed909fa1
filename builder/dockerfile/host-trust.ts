import type { HostTrust } from "../plan/plan.ts";

const certificatesTarget = "/run/byom-ca.crt";
const pipConfigurationTarget = "/run/byom-pip.conf";

/** Every variable by which a tool of the build is told to trust a bundle. */
const certificateVariables = [
  "SSL_CERT_FILE",
  "PIP_CERT",
  "REQUESTS_CA_BUNDLE",
  "CURL_CA_BUNDLE",
  "GIT_SSL_CAINFO",
] as const;

/**
 * Build arguments that hold while RUN commands run and leave no trace in the image's configuration.
 * Proxies need none: the engine predefines HTTP_PROXY and its kin.
 */
export function trustArguments(trust: HostTrust | undefined): string[] {
  return [
    ...(trust?.hasCertificates === true
      ? certificateVariables.map((name) => `ARG ${name}=${certificatesTarget}`)
      : []),
    ...(trust?.hasPipConfiguration === true
      ? [`ARG PIP_CONFIG_FILE=${pipConfigurationTarget}`]
      : []),
  ];
}

/** The host's files for one RUN that uses the network; a bind mount is part of no layer. */
export function trustMounts(trust: HostTrust | undefined): string[] {
  return [
    ...(trust?.hasCertificates === true
      ? [`type=bind,source=.byom/ca.crt,target=${certificatesTarget}`]
      : []),
    ...(trust?.hasPipConfiguration === true
      ? [`type=bind,source=.byom/pip.conf,target=${pipConfigurationTarget}`]
      : []),
  ];
}

/** apt reads no variable: an option for repositories served over https. */
export function aptTrustOptions(trust: HostTrust | undefined): string[] {
  return trust?.hasCertificates === true
    ? ["-o", `Acquire::https::CaInfo=${certificatesTarget}`]
    : [];
}
