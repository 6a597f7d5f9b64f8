// console, performance, structuredClone: what is there without being asked for.

const QUOTE = (text) => (text.includes("'") ? JSON.stringify(text) : `'${text.replaceAll("\n", "\\n")}'`);
const DEPTH_MAX = 3;
const ITEMS_MAX = 100;

const inspectKey = (key) => (typeof key === "symbol" ? `[${String(key)}]`
    : /^[A-Za-z_$][\w$]*$/.test(key) ? key : QUOTE(key));

const inspectList = (open, parts, close) => {
    if (parts.length === 0) {
        return open + close;
    }
    return `${open} ${parts.join(", ")} ${close}`;
};

const inspectObject = (value, depth, seen) => {
    const name = value.constructor?.name;
    const inner = (one) => inspect(one, depth + 1, seen);
    if (value instanceof Date) {
        return Number.isNaN(value.getTime()) ? "Invalid Date" : value.toISOString();
    }
    if (value instanceof RegExp) {
        return String(value);
    }
    if (value instanceof Error) {
        return errorText(value);
    }
    if (depth > DEPTH_MAX) {
        return Array.isArray(value) ? "[Array]" : `[${name ?? "Object"}]`;
    }
    if (Array.isArray(value)) {
        const parts = value.slice(0, ITEMS_MAX).map(inner);
        if (value.length > ITEMS_MAX) {
            parts.push(`... ${value.length - ITEMS_MAX} more items`);
        }
        return inspectList("[", parts, "]");
    }
    if (ArrayBuffer.isView(value) && !(value instanceof DataView)) {
        return inspectList(`${name}(${value.length}) [`, Array.from(value.slice(0, ITEMS_MAX), String), "]");
    }
    if (value instanceof Map) {
        return inspectList(`Map(${value.size}) {`, [...value].map(([a, b]) => `${inner(a)} => ${inner(b)}`), "}");
    }
    if (value instanceof Set) {
        return inspectList(`Set(${value.size}) {`, [...value].map(inner), "}");
    }
    if (value instanceof Promise) {
        return "Promise {}";
    }
    if (value instanceof Headers) {
        return inspectList("Headers {", [...value].map(([a, b]) => `${inspectKey(a)}: ${QUOTE(b)}`), "}");
    }
    if (value instanceof URL) {
        return `URL ${QUOTE(value.href)}`;
    }
    const parts = Object.keys(value).slice(0, ITEMS_MAX).map((key) => `${inspectKey(key)}: ${inner(value[key])}`);
    const prefix = name === undefined ? "[Object: null prototype] " : name === "Object" ? "" : `${name} `;
    return inspectList(`${prefix}{`, parts, "}");
};

const inspect = (value, depth = 0, seen = []) => {
    switch (typeof value) {
    case "string":
        return depth === 0 ? value : QUOTE(value);
    case "bigint":
        return `${value}n`;
    case "function":
        return value.name ? `[Function: ${value.name}]` : "[Function (anonymous)]";
    case "object":
        if (value === null) {
            return "null";
        }
        if (seen.includes(value)) {
            return "[Circular]";
        }
        try {
            return inspectObject(value, depth, [...seen, value]);
        } catch {
            return "[Object]"; // a getter or a proxy threw
        }
    case "number":
        return Object.is(value, -0) ? "-0" : String(value);
    default:
        return String(value);
    }
};

const format = (args) => {
    if (typeof args[0] !== "string" || !args[0].includes("%")) {
        return args.map((one) => inspect(one)).join(" ");
    }
    let next = 1;
    const text = args[0].replace(/%[sdifjoOc%]/g, (what) => {
        if (what === "%%") {
            return "%";
        }
        if (next >= args.length) {
            return what;
        }
        const value = args[next++];
        switch (what) {
        case "%s":
            return typeof value === "string" ? value : inspect(value, 1);
        case "%d":
            return typeof value === "bigint" ? `${value}n` : String(Number(value));
        case "%i":
            return String(Number.parseInt(value, 10));
        case "%f":
            return String(Number.parseFloat(value));
        case "%j":
            return JSON.stringify(value);
        case "%c":
            return "";
        default:
            return inspect(value, 1);
        }
    });
    return [text, ...args.slice(next).map((one) => inspect(one))].join(" ");
};

const LEVEL = { error: 0, warn: 1, info: 2, debug: 3 };
let groupIndent = "";

const logLines = (level, text) => {
    for (const line of text.split("\n")) {
        native.log(level, groupIndent + line);
    }
};

const counts = new Map();
const times = new Map();
const console = {
    log: (...args) => logLines(LEVEL.info, format(args)),
    info: (...args) => logLines(LEVEL.info, format(args)),
    warn: (...args) => logLines(LEVEL.warn, format(args)),
    error: (...args) => logLines(LEVEL.error, format(args)),
    debug: (...args) => logLines(LEVEL.debug, format(args)),
    trace: (...args) => logLines(LEVEL.debug, `Trace: ${format(args)}\n${stackMapped(new Error().stack)}`),
    dir: (value) => logLines(LEVEL.info, inspect(value)),
    table: (value) => logLines(LEVEL.info, inspect(value)),
    assert: (good, ...args) => {
        if (!good) {
            logLines(LEVEL.error, args.length === 0 ? "Assertion failed" : `Assertion failed: ${format(args)}`);
        }
    },
    count: (label = "default") => {
        counts.set(label, (counts.get(label) ?? 0) + 1);
        logLines(LEVEL.info, `${label}: ${counts.get(label)}`);
    },
    countReset: (label = "default") => {
        counts.delete(label);
    },
    time: (label = "default") => {
        times.set(label, native.clock());
    },
    timeLog: (label = "default") => {
        logLines(LEVEL.info, `${label}: ${(native.clock() - (times.get(label) ?? NaN)).toFixed(3)}ms`);
    },
    timeEnd: (label = "default") => {
        console.timeLog(label);
        times.delete(label);
    },
    group: (...args) => {
        if (args.length > 0) {
            console.log(...args);
        }
        groupIndent += "  ";
    },
    groupEnd: () => {
        groupIndent = groupIndent.slice(2);
    },
};

const performance = {
    now: () => native.clock(),
    get timeOrigin() {
        return Date.now() - native.clock();
    },
};

const CLONED_ERRORS = { Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError };

const uncloneable = (value) => {
    throw new DOMException(`${typeof value === "symbol" ? String(value) : inspect(value, 1)} could not be cloned.`,
        "DataCloneError");
};

const cloneInto = (value, seen) => {
    if (typeof value === "function" || typeof value === "symbol") {
        uncloneable(value);
    }
    if (value === null || typeof value !== "object") {
        return value;
    }
    if (seen.has(value)) {
        return seen.get(value);
    }
    const keep = (copy) => {
        seen.set(value, copy);
        return copy;
    };
    if (value instanceof Date) {
        return keep(new Date(value.getTime()));
    }
    if (value instanceof RegExp) {
        return keep(new RegExp(value.source, value.flags));
    }
    if (value instanceof File) {
        return keep(new File([value], value.name, value));
    }
    if (value instanceof Blob) {
        return keep(new Blob([value], value));
    }
    if (value instanceof ArrayBuffer) {
        return keep(value.slice(0));
    }
    if (value instanceof DataView) {
        return keep(new DataView(cloneInto(value.buffer, seen), value.byteOffset, value.byteLength));
    }
    if (ArrayBuffer.isView(value)) {
        return keep(new value.constructor(cloneInto(value.buffer, seen), value.byteOffset, value.length));
    }
    if (value instanceof Boolean || value instanceof Number || value instanceof String) {
        return keep(Object(value.valueOf()));
    }
    if (value instanceof Map) {
        const copy = keep(new Map());
        for (const [key, one] of [...value]) {
            copy.set(cloneInto(key, seen), cloneInto(one, seen));
        }
        return copy;
    }
    if (value instanceof Set) {
        const copy = keep(new Set());
        for (const one of [...value]) {
            copy.add(cloneInto(one, seen));
        }
        return copy;
    }
    if (value instanceof Error) {
        const copy = keep(Object.create((CLONED_ERRORS[value.name] ?? Error).prototype));
        const made = new (CLONED_ERRORS[value.name] ?? Error)(value.message);
        made.stack = value.stack;
        Object.defineProperties(copy, Object.getOwnPropertyDescriptors(made));
        seen.set(value, made);
        if ("cause" in value) {
            made.cause = cloneInto(value.cause, seen);
        }
        return made;
    }
    if (value instanceof Promise || value instanceof WeakMap || value instanceof WeakSet || value instanceof WeakRef ||
        value instanceof EventTarget || value instanceof ReadableStream || value instanceof Message) {
        uncloneable(value);
    }
    const copy = keep(Array.isArray(value) ? new Array(value.length) : {});
    for (const key of Object.keys(value)) {
        copy[key] = cloneInto(value[key], seen);
    }
    return copy;
};

const structuredClone = (value) => cloneInto(value, new Map());
