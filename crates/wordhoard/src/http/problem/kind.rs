//! Every kind of problem that a client can meet: its name on the wire, its status, and what it means.

use axum::http::StatusCode;

/// One table, so that the document of the API and the answers cannot differ.
macro_rules! kinds {
    ($($(#[doc = $meaning:literal])+ $kind:ident = $slug:literal, $status:ident;)+) => {
        /// A kind of problem.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum ProblemKind {
            $($(#[doc = $meaning])+ $kind,)+
        }

        impl ProblemKind {
            /// Its name: the last part of the problem's `type`.
            pub(in crate::http) const fn slug(self) -> &'static str {
                match self { $(Self::$kind => $slug,)+ }
            }

            /// The status that an answer with it has, unless a provider's own takes its place.
            pub(in crate::http) const fn status(self) -> StatusCode {
                match self { $(Self::$kind => StatusCode::$status,)+ }
            }

            /// What it means, for the document of the API.
            pub(super) fn meaning(self) -> &'static str {
                match self { $(Self::$kind => concat!($($meaning),+).trim_start(),)+ }
            }
        }
    };
}

kinds! {
    /// The server is starting.
    Starting = "starting", SERVICE_UNAVAILABLE;
    /// The server stops; come back.
    Stopping = "stopping", SERVICE_UNAVAILABLE;

    /// The `Host` header is missing.
    NoHost = "no-host", BAD_REQUEST;
    /// `Host` is no name of this server.
    UnknownHost = "unknown-host", MISDIRECTED_REQUEST;
    /// A page of another origin may not change anything here.
    ForeignOrigin = "foreign-origin", FORBIDDEN;
    /// Too many header lines.
    TooManyHeaders = "too-many-headers", REQUEST_HEADER_FIELDS_TOO_LARGE;
    /// Without a key, or with one that is not known or was revoked.
    Unauthorized = "unauthorized", UNAUTHORIZED;
    /// The key has another scope.
    WrongScope = "wrong-scope", FORBIDDEN;
    /// There is nothing at this path.
    NotFound = "not-found", NOT_FOUND;
    /// The path does not take that method.
    MethodNotAllowed = "method-not-allowed", METHOD_NOT_ALLOWED;
    /// WebSockets are not served: `POST` the request.
    WebSocketNotServed = "websocket-not-served", UPGRADE_REQUIRED;

    /// The body is longer than its limit.
    BodyTooLarge = "body-too-large", PAYLOAD_TOO_LARGE;
    /// The body came too slowly.
    BodyTimeout = "body-timeout", REQUEST_TIMEOUT;
    /// The body ended before its announced length.
    BodyCut = "body-cut", BAD_REQUEST;
    /// Too many large bodies are being read.
    BodiesFull = "bodies-full", SERVICE_UNAVAILABLE;
    /// The body is not UTF-8.
    InvalidUtf8 = "invalid-utf8", BAD_REQUEST;
    /// The body is not JSON.
    InvalidJson = "invalid-json", BAD_REQUEST;
    /// The body is no JSON object.
    NotAnObject = "not-an-object", UNPROCESSABLE_ENTITY;
    /// The body is compressed.
    Compressed = "compressed", UNSUPPORTED_MEDIA_TYPE;
    /// The content type is not `application/json`.
    NotJson = "not-json", UNSUPPORTED_MEDIA_TYPE;
    /// The path has no such parameter.
    UnknownParameter = "unknown-parameter", BAD_REQUEST;
    /// A parameter has a value that it cannot have.
    InvalidParameter = "invalid-parameter", BAD_REQUEST;
    /// A header has a value that it cannot have.
    InvalidHeader = "invalid-header", BAD_REQUEST;
    /// A field is unknown, missing, of a wrong type or out of range.
    InvalidField = "invalid-field", UNPROCESSABLE_ENTITY;
    /// A text is too long, empty, or has characters that it may not have.
    InvalidContent = "invalid-content", BAD_REQUEST;
    /// A model that is asked cannot honour a field.
    UnsupportedParameter = "unsupported-parameter", BAD_REQUEST;

    /// The key was used for another body.
    IdempotencyKeyReused = "idempotency-key-reused", UNPROCESSABLE_ENTITY;
    /// The first request with this key is being accepted right now.
    IdempotencyKeyInFlight = "idempotency-key-in-flight", CONFLICT;
    /// Whether the key was used cannot be found out now.
    IdempotencyUnavailable = "idempotency-unavailable", SERVICE_UNAVAILABLE;
    /// The server takes no requests now.
    NotAccepting = "not-accepting", SERVICE_UNAVAILABLE;
    /// The request cannot be recorded.
    Storage = "storage", SERVICE_UNAVAILABLE;
    /// Too many requests wait for the provider.
    Overloaded = "overloaded", SERVICE_UNAVAILABLE;
    /// Too many requests run.
    TooManyRunning = "too-many-running", SERVICE_UNAVAILABLE;
    /// The key may not ask the model.
    ModelNotAllowed = "model-not-allowed", FORBIDDEN;
    /// The key has a budget, and the model has no price.
    ModelWithoutPrice = "model-without-price", FORBIDDEN;
    /// What the key has used is not known yet.
    UsageUnknown = "usage-unknown", SERVICE_UNAVAILABLE;
    /// The key has made so many requests, or used so many tokens, as it may in this time; or the provider says so of its own.
    RateLimitExceeded = "rate-limit-exceeded", TOO_MANY_REQUESTS;
    /// The key has used its budget.
    BudgetUsed = "insufficient-quota", TOO_MANY_REQUESTS;
    /// The request alone is more than the key may use.
    ExceedsLimitOfKey = "exceeds-limit-of-key", BAD_REQUEST;

    /// There is no such model.
    ModelNotFound = "model-not-found", NOT_FOUND;
    /// The provider refused the request.
    ProviderRefused = "provider-refused", BAD_REQUEST;
    /// The request is longer than the model can read.
    ContextLengthExceeded = "context-length-exceeded", BAD_REQUEST;
    /// The provider does not answer such content.
    ContentFilter = "content-filter", BAD_REQUEST;
    /// The account at the provider is out of credit. The provider's own status may stand in the place of 402.
    OutOfCredit = "insufficient-quota", PAYMENT_REQUIRED;
    /// The provider did not answer in time.
    ProviderTimeout = "provider-timeout", GATEWAY_TIMEOUT;
    /// The provider has too much to do.
    ProviderOverloaded = "provider-overloaded", SERVICE_UNAVAILABLE;
    /// The provider answered with an error, or not as its API is documented, or its answer was cut.
    ProviderFailed = "provider-failed", BAD_GATEWAY;
    /// The provider is not called now: it failed before, or too many wait for it.
    ProviderUnavailable = "provider-unavailable", SERVICE_UNAVAILABLE;
    /// The answer could not be recorded, or the server stopped.
    Unavailable = "unavailable", SERVICE_UNAVAILABLE;
    /// A fault of the server itself.
    Internal = "internal", INTERNAL_SERVER_ERROR;

    /// There is no such request.
    NoSuchRequest = "no-such-request", NOT_FOUND;
    /// It was older than requests are kept, and is gone.
    Pruned = "pruned", GONE;
    /// The history cannot be read now.
    HistoryUnavailable = "history-unavailable", SERVICE_UNAVAILABLE;
    /// Events are missing in the history.
    HistoryDamaged = "history-damaged", INTERNAL_SERVER_ERROR;
    /// The cursor is beyond the newest event.
    CursorBeyondTail = "cursor-beyond-tail", BAD_REQUEST;
    /// It runs: cancel it first.
    RequestRunning = "request-running", CONFLICT;
    /// Another server runs it; `detail` says which, and where it is called.
    RunsElsewhere = "runs-elsewhere", CONFLICT;
    /// Its end is not recorded yet.
    CancelUnfinished = "cancel-unfinished", SERVICE_UNAVAILABLE;

    /// There is no such key.
    NoSuchKey = "no-such-key", NOT_FOUND;
    /// The keys cannot be read or changed now.
    KeysUnavailable = "keys-unavailable", SERVICE_UNAVAILABLE;
    /// The machine gives no random bytes.
    NoRandomBytes = "no-random-bytes", INTERNAL_SERVER_ERROR;
    /// This server has no such provider.
    NoSuchProvider = "no-such-provider", NOT_FOUND;
    /// Neither the configuration nor the call names a model of the provider.
    NoModel = "no-model", BAD_REQUEST;
    /// The switch cannot be recorded now; nothing was changed.
    SwitchUnavailable = "switch-unavailable", SERVICE_UNAVAILABLE;
    /// There is no such operation.
    NoSuchOperation = "no-such-operation", NOT_FOUND;
    /// One is running, here or on another server of this database.
    OperationRunning = "operation-running", CONFLICT;
    /// SQL cannot be asked now.
    DatabaseUnavailable = "database-unavailable", SERVICE_UNAVAILABLE;
    /// There is no such server.
    NoSuchServer = "no-such-server", NOT_FOUND;
    /// The server has left by itself.
    ServerHasLeft = "server-has-left", CONFLICT;
    /// It is the server that was asked.
    ThisServer = "this-server", CONFLICT;
    /// The server runs.
    ServerRuns = "server-runs", CONFLICT;
    /// The servers cannot be read or changed now.
    ServersUnavailable = "servers-unavailable", SERVICE_UNAVAILABLE;

    /// That is no name of a backup.
    BadBackupName = "bad-backup-name", BAD_REQUEST;
    /// There is no such backup.
    NoSuchBackup = "no-such-backup", NOT_FOUND;
    /// The disk has too little room.
    NoSpace = "no-space", INSUFFICIENT_STORAGE;
    /// The backup cannot be trusted, or the moment cannot be reached with it.
    BackupNotRestorable = "backup-not-restorable", UNPROCESSABLE_ENTITY;
    /// The backups cannot be read now.
    BackupUnavailable = "backup-unavailable", SERVICE_UNAVAILABLE;
    /// The backups cannot be read.
    BackupFailed = "backup-failed", INTERNAL_SERVER_ERROR;
    /// Other servers use the database.
    OtherServers = "other-servers", CONFLICT;
}
