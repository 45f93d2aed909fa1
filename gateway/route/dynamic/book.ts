import { createHash } from "node:crypto";

import { GatewayError } from "../../errors.ts";
import {
  standingLimit,
  type StandingLimit,
  type StandingLimitBody,
} from "../limits/standing-limit.ts";
import {
  ownModelOf,
  planOf,
  readDocument,
  type RouteDocument,
  type RoutePlan,
} from "./document.ts";
import { legProblem, type LegSources } from "./legs.ts";
import { checkRouteName, fullName, plainName } from "./names.ts";
import type { RouteStore, StoredDeployment, StoredRoute, StoredVersion } from "./store.ts";

/** A route that calls can take. */
export interface Route {
  readonly id: string;
  /** Without `dynamic/`. */
  readonly name: string;
  /** `dynamic/NAME`, or `models/ID`. */
  readonly fullName: string;
  readonly version: number;
  /** `sha256:…` of the document. */
  readonly digest: string;
  readonly document: RouteDocument;
  readonly plan: RoutePlan;
  readonly createdAt: string;
  readonly modifiedAt: string;
}

/** One version of a route with its document. */
export interface RouteVersion extends Omit<StoredVersion, "document"> {
  readonly document: RouteDocument;
  readonly isActive: boolean;
}

/** Routes are looked at by people and walked in lists. */
const routesMax = 1_000;
const limitsMax = 200;

export interface RouteBookOptions {
  readonly store: RouteStore;
  readonly sources: LegSources;
  readonly clock: () => number;
  readonly idSource: () => string;
}

/** All routes and standing limits: read from memory, on disk before the memory changes. A change holds with the next call. */
export class RouteBook {
  readonly #options: RouteBookOptions;
  readonly #store: RouteStore;
  #routes = new Map<string, Route>();
  #limits: readonly StandingLimit[] = [];
  /** Routes of plain models by the model's id. */
  #byModel = new Map<string, Route>();

  constructor(options: RouteBookOptions) {
    this.#options = options;
    this.#store = options.store;
    this.#load();
    this.#loadLimits();
  }

  /** By name, with `dynamic/` or without. */
  get(name: string): Route | undefined {
    return this.#routes.get(plainName(name));
  }

  /** @throws `GatewayError` `not_found` */
  demand(name: string): Route {
    const route = this.get(name);
    if (route !== undefined) return route;
    throw new GatewayError("not_found", `There is no route ${plainName(name)}.`, {
      hint: "`byom routes list` shows what there is.",
    });
  }

  byId(id: string): Route | undefined {
    return this.list().find((route) => route.id === id);
  }

  /** How calls of a plain model go, where something is said about it. */
  ofModel(modelId: string): Route | undefined {
    return this.#byModel.size === 0 ? undefined : this.#byModel.get(modelId);
  }

  /** By name. */
  list(): readonly Route[] {
    return [...this.#routes.values()];
  }

  /** Makes a route or a new version of it, and puts it to use; the same document again changes nothing. */
  put(name: string, value: unknown): { readonly route: Route; readonly isNew: boolean } {
    const plain = checkRouteName(name);
    const document = this.#read(plain, value);
    const known = this.#routes.get(plain);
    if (known !== undefined && known.digest === digestOf(document)) {
      return { route: known, isNew: false };
    }
    this.#write(() => {
      const id = known?.id ?? this.#insert(plain);
      const version = this.#store.insertVersion(id, { document: text(document), at: this.#now() });
      this.#activate(id, version);
    });
    return { route: this.demand(plain), isNew: known === undefined };
  }

  /** Adds a version that no call takes yet. */
  addVersion(name: string, value: unknown): RouteVersion {
    const route = this.demand(name);
    const document = this.#read(route.name, value);
    const at = this.#now();
    const version = this.#write(() =>
      this.#store.insertVersion(route.id, { document: text(document), at }),
    );
    return { version, createdAt: at, document, isActive: false };
  }

  /** Puts a version to use. @throws `GatewayError`: `not_found`; `invalid_request` when its models are gone */
  activate(name: string, version: number): Route {
    const route = this.demand(name);
    const wanted = this.version(name, version);
    this.#read(route.name, wanted.document);
    this.#write(() => this.#activate(route.id, version));
    return this.demand(name);
  }

  /** Goes back to a version, or to the one that was in use before this one. @throws `GatewayError` */
  rollback(name: string, version?: number): Route {
    const route = this.demand(name);
    const before = this.#store
      .deployments(route.id)
      .find((deployment) => deployment.version < route.version);
    const target = version ?? before?.version;
    if (target !== undefined) return this.activate(name, target);
    throw new GatewayError("conflict", `${route.name} has no version before ${route.version}.`, {
      hint: `\`byom routes versions ${route.name}\` lists them.`,
    });
  }

  /** Newest first. */
  versions(name: string): readonly RouteVersion[] {
    const route = this.demand(name);
    return this.#store.versions(route.id).map((stored) => versionOf(stored, route));
  }

  /** @throws `GatewayError` `not_found` */
  version(name: string, version: number): RouteVersion {
    const route = this.demand(name);
    const stored = this.#store.version(route.id, version);
    if (stored !== undefined) return versionOf(stored, route);
    throw new GatewayError("not_found", `The route ${route.name} has no version ${version}.`, {
      hint: `\`byom routes versions ${route.name}\` lists them.`,
    });
  }

  deployments(name: string): readonly StoredDeployment[] {
    return this.#store.deployments(this.demand(name).id);
  }

  rename(name: string, to: string): Route {
    const route = this.demand(name);
    const next = checkRouteName(to);
    if (next === route.name) return route;
    if (this.#routes.has(next)) throw new GatewayError("conflict", `There is a route ${next}.`);
    this.#read(next, route.document);
    this.#write(() => this.#store.rename(route.id, { name: next, at: this.#now() }));
    return this.demand(next);
  }

  remove(name: string): Route {
    const route = this.demand(name);
    this.#write(() => this.#store.deleteRoute(route.id));
    return route;
  }

  get limits(): readonly StandingLimit[] {
    return this.#limits;
  }

  limit(name: string): StandingLimit | undefined {
    return this.#limits.find((limit) => limit.name === name);
  }

  putLimit(name: string, body: StandingLimitBody): StandingLimit {
    if (this.limit(name) === undefined && this.#limits.length >= limitsMax) {
      throw new GatewayError("conflict", `There are ${limitsMax} limits already.`);
    }
    this.#store.setLimit({ name, document: JSON.stringify(body), at: this.#now() });
    this.#loadLimits();
    return standingLimit(name, body);
  }

  /** Whether there was one. */
  removeLimit(name: string): boolean {
    if (this.limit(name) === undefined) return false;
    this.#store.deleteLimit(name);
    this.#loadLimits();
    return true;
  }

  close(): void {
    this.#store.close();
  }

  #read(name: string, value: unknown): RouteDocument {
    return readDocument(value, {
      routeName: name,
      modelProblem: (leg) => legProblem(leg, this.#options.sources),
    });
  }

  #insert(name: string): string {
    if (this.#routes.size >= routesMax) {
      throw new GatewayError("conflict", `There are ${routesMax} routes already.`);
    }
    const id = this.#options.idSource();
    this.#store.insertRoute({ id, name, at: this.#now() });
    return id;
  }

  #activate(routeId: string, version: number): void {
    const deploymentId = this.#options.idSource();
    this.#store.activate(routeId, { deploymentId, version, at: this.#now() });
  }

  #write<Result>(work: () => Result): Result {
    const result = this.#store.transaction(work);
    this.#load();
    return result;
  }

  #load(): void {
    const before = new Map([...this.#routes.values()].map((route) => [route.id, route]));
    const routes = this.#store.routes().map((stored): [string, Route] => {
      const known = before.get(stored.id);
      const isSame = known?.version === stored.active && known.name === stored.name;
      return [
        stored.name,
        isSame ? { ...known, modifiedAt: stored.modifiedAt } : this.#open(stored),
      ];
    });
    this.#routes = new Map(routes);
    this.#byModel = new Map(
      routes.flatMap(([name, route]) => {
        const model = ownModelOf(name);
        return model === undefined ? [] : [[model, route] as const];
      }),
    );
  }

  #open(stored: StoredRoute): Route {
    const version = this.#store.version(stored.id, stored.active);
    const document = documentOf(version?.document ?? '{"models":[]}');
    return {
      id: stored.id,
      name: stored.name,
      fullName: fullName(stored.name),
      version: stored.active,
      digest: digestOf(document),
      document,
      plan: planOf(document, stored.name),
      createdAt: stored.createdAt,
      modifiedAt: stored.modifiedAt,
    };
  }

  #loadLimits(): void {
    this.#limits = this.#store
      .limits()
      .map(({ name, document }) => standingLimit(name, JSON.parse(document) as StandingLimitBody));
  }

  #now(): string {
    return new Date(this.#options.clock()).toISOString();
  }
}

function versionOf(stored: StoredVersion, route: Route): RouteVersion {
  return {
    version: stored.version,
    createdAt: stored.createdAt,
    document: documentOf(stored.document),
    isActive: stored.version === route.version,
  };
}

/** What was checked when it was written. */
function documentOf(stored: string): RouteDocument {
  return JSON.parse(stored) as RouteDocument;
}

function text(document: RouteDocument): string {
  return JSON.stringify(document);
}

function digestOf(document: RouteDocument): string {
  return `sha256:${createHash("sha256").update(text(document)).digest("hex")}`;
}
