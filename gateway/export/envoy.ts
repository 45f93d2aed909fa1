import { isIP } from "node:net";

import {
  selectModels,
  type CallableModel,
  type ExportedDocument,
  type ExportModel,
  type ExportOptions,
} from "./model.ts";
import { renderYamlDocuments } from "./yaml.ts";

const aiGateway = "aigateway.envoyproxy.io";
const envoyGateway = "gateway.envoyproxy.io";
const gatewayApi = "gateway.networking.k8s.io";

/** Resources of Envoy AI Gateway (examples/basic/openai.yaml of envoyproxy/ai-gateway, 2026-08). */
export function exportToEnvoy(
  models: readonly ExportModel[],
  options: ExportOptions,
): ExportedDocument {
  const { selected, skipped } = selectModels(models, ["chat", "embedding", "image"]);
  const url = new URL(options.baseUrl);
  return {
    language: "yaml",
    text: renderYamlDocuments([
      route(selected, options),
      serviceBackend(options, url),
      backend(options, url),
      ...(url.protocol === "https:" ? [tlsPolicy(options, url)] : []),
      securityPolicy(options),
      secret(options),
    ]),
    notes: [
      options.key === undefined
        ? `Apply it with: envsubst '$${options.keyEnv}' < byom.yaml | kubectl apply -f -`
        : "Apply it with: kubectl apply -f byom.yaml",
      "parentRefs names the Gateway `envoy-ai-gateway`: write your own there.",
    ],
    skipped,
  };
}

function route(
  selected: readonly CallableModel[],
  { name }: ExportOptions,
): Readonly<Record<string, unknown>> {
  return {
    apiVersion: `${aiGateway}/v1beta1`,
    kind: "AIGatewayRoute",
    metadata: { name },
    spec: {
      parentRefs: [{ name: "envoy-ai-gateway", kind: "Gateway", group: gatewayApi }],
      rules: selected.map(({ model }) => ({
        matches: [{ headers: [{ type: "Exact", name: "x-ai-eg-model", value: model.id }] }],
        backendRefs: [{ name, priority: 0 }],
        modelsOwnedBy: name,
      })),
      llmRequestCosts: [
        { metadataKey: "llm_input_token", type: "InputToken" },
        { metadataKey: "llm_output_token", type: "OutputToken" },
        { metadataKey: "llm_total_token", type: "TotalToken" },
      ],
    },
  };
}

function serviceBackend({ name }: ExportOptions, url: URL): Readonly<Record<string, unknown>> {
  const path = url.pathname.replace(/\/+$/, "");
  return {
    apiVersion: `${aiGateway}/v1beta1`,
    kind: "AIServiceBackend",
    metadata: { name },
    spec: {
      schema: { name: "OpenAI", ...(path !== "" && { prefix: `${path}/v1` }) },
      backendRef: { name, kind: "Backend", group: envoyGateway },
    },
  };
}

function backend({ name }: ExportOptions, url: URL): Readonly<Record<string, unknown>> {
  const port = Number(url.port) || (url.protocol === "https:" ? 443 : 80);
  const hostname = url.hostname.replaceAll(/[[\]]/g, "");
  const endpoint =
    isIP(hostname) === 0 ? { fqdn: { hostname, port } } : { ip: { address: hostname, port } };
  return {
    apiVersion: `${envoyGateway}/v1alpha1`,
    kind: "Backend",
    metadata: { name },
    spec: { endpoints: [endpoint] },
  };
}

function tlsPolicy({ name }: ExportOptions, url: URL): Readonly<Record<string, unknown>> {
  return {
    apiVersion: `${gatewayApi}/v1`,
    kind: "BackendTLSPolicy",
    metadata: { name },
    spec: {
      targetRefs: [{ group: envoyGateway, kind: "Backend", name }],
      validation: { wellKnownCACertificates: "System", hostname: url.hostname },
    },
  };
}

function securityPolicy({ name }: ExportOptions): Readonly<Record<string, unknown>> {
  return {
    apiVersion: `${aiGateway}/v1beta1`,
    kind: "BackendSecurityPolicy",
    metadata: { name },
    spec: {
      targetRefs: [{ group: aiGateway, kind: "AIServiceBackend", name }],
      type: "APIKey",
      apiKey: { secretRef: { name } },
    },
  };
}

function secret({ name, key, keyEnv }: ExportOptions): Readonly<Record<string, unknown>> {
  return {
    apiVersion: "v1",
    kind: "Secret",
    metadata: { name },
    type: "Opaque",
    stringData: { apiKey: key ?? `\${${keyEnv}}` },
  };
}
