// Runs what the other files of this folder register, and gives a line for each: the same on every platform that has the
// Web's interfaces. It is put in front of them as text: what is compared is one script.
const cases = [];
const test = (name, run) => cases.push([name, run]);
const each = (name, inputs, run) => inputs.forEach((input) => test(`${name} ${JSON.stringify(input)}`, () => run(input)));

const shown = (value) => {
    if (value instanceof Error || (typeof DOMException === "function" && value instanceof DOMException)) {
        return { error: value.name };
    }
    if (value === undefined) {
        return { undefined: true };
    }
    if (value instanceof ArrayBuffer) {
        return { buffer: [...new Uint8Array(value)] };
    }
    if (ArrayBuffer.isView(value)) {
        return { [value.constructor.name]: Array.from(value) };
    }
    if (Array.isArray(value)) {
        return value.map(shown);
    }
    if (value instanceof Map || value instanceof Set) {
        return { [value.constructor.name]: [...value].map(shown) };
    }
    if (value !== null && typeof value === "object" && [Object.prototype, null].includes(Object.getPrototypeOf(value))) {
        return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, shown(one)]));
    }
    return typeof value === "bigint" || typeof value === "symbol" ? String(value) : value;
};

const outcome = async (run) => {
    try {
        return shown(await run());
    } catch (error) {
        return { thrown: shown(error) };
    }
};

const all = async () => {
    const lines = [];
    for (const [name, run] of cases) {
        lines.push(`${name} => ${JSON.stringify(await outcome(run))}`);
    }
    return lines.join("\n") + "\n";
};
