export type CatalogStoreErrorCode = "catalog_too_new" | "catalog_unreadable";

/** The catalog's file cannot be used; going on without it would answer calls from a catalog that is not the operator's. */
export class CatalogStoreError extends Error {
  override readonly name = "CatalogStoreError";
  readonly code: CatalogStoreErrorCode;
  readonly hint: string;

  constructor(code: CatalogStoreErrorCode, message: string, hint: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    this.hint = hint;
  }
}
