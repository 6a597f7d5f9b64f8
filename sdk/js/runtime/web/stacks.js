// Where errors come from: stacks in terms of the files that were written, by the source map of the bundle.

let scriptName = "";
let scriptLines = null; // of the build, for the line of an error
let mapSources = [];
let mapTexts = [];
let mapLines = null; // of each line of the script: Int32Array of [column, source, line, column] fours

const VLQ = new Map([..."ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"].map((c, i) => [c, i]));

const mapLine = (text, state) => {
    const out = [];
    let column = 0;
    for (const segment of text.split(",")) {
        const fields = [];
        let value = 0;
        let shift = 0;
        for (const character of segment) {
            const digit = VLQ.get(character) ?? 0;
            value += (digit & 31) << shift;
            shift += 5;
            if ((digit & 32) === 0) {
                fields.push(value & 1 ? -(value >> 1) : value >> 1);
                value = 0;
                shift = 0;
            }
        }
        if (fields.length === 0) {
            continue;
        }
        column += fields[0];
        if (fields.length >= 4) {
            state.source += fields[1];
            state.line += fields[2];
            state.column += fields[3];
            out.push(column, state.source, state.line, state.column);
        }
    }
    return Int32Array.from(out);
};

const mapLoad = (text) => {
    const map = JSON.parse(text);
    const root = map.sourceRoot ? map.sourceRoot.replace(/\/?$/, "/") : "";
    mapSources = map.sources.map((one) => root + one);
    mapTexts = map.sourcesContent ?? [];
    const state = { source: 0, line: 0, column: 0 };
    mapLines = map.mappings.split(";").map((line) => mapLine(line, state));
};

// {file, line, column, text} in the original; lines and columns from 1.
const originOf = (line, column) => {
    const fours = mapLines?.[line - 1];
    if (fours === undefined || fours.length === 0) {
        return { file: scriptName, line, column, text: scriptLines?.[line - 1] };
    }
    let at = 0;
    for (let i = 0; i < fours.length && fours[i] <= column - 1; i += 4) {
        at = i;
    }
    const source = fours[at + 1];
    return { file: mapSources[source], line: fours[at + 2] + 1, column: fours[at + 3] + 1,
        text: mapTexts[source]?.split("\n")[fours[at + 2]] };
};

// Frames of this file are of no use to whom the error is for.
const stackMapped = (stack) => String(stack ?? "").split("\n")
    .filter((line) => line.trim() !== "" && !line.includes("mote:web") && !/\(native\)$/.test(line))
    .map((line) => line.replace(/([^\s(]+):(\d+):(\d+)\)?$/, (all, file, row, column) => {
        if (file !== scriptName) {
            return all;
        }
        const place = originOf(Number(row), Number(column));
        return `${place.file}:${place.line}:${place.column}${all.endsWith(")") ? ")" : ""}`;
    })).join("\n");

const errorText = (error, depth = 0) => {
    if (!(error instanceof Error) && !(error instanceof DOMException)) {
        return `Uncaught ${inspect(error, 1)}`;
    }
    let head;
    let stack;
    try {
        const message = String(error.message);
        head = message === "" ? String(error.name) : `${error.name}: ${message}`;
        stack = stackMapped(error.stack);
    } catch {
        return "an error that cannot be read";
    }
    let text = stack === "" ? head : `${head}\n${stack}`;
    if (error.cause !== undefined && depth < DEPTH_MAX) {
        text += `\n  [cause]: ${error.cause instanceof Error ? errorText(error.cause, depth + 1) : inspect(error.cause, 1)}`;
    }
    return text;
};

// For who builds: "file:line:column: what is wrong", the line, and a mark below it.
const errorExplain = (error) => {
    const head = error instanceof Error ? `${error.name}: ${error.message}` : inspect(error);
    for (const frame of String(error?.stack ?? "").split("\n")) {
        const found = /([^\s(]+):(\d+):(\d+)\)?$/.exec(frame);
        if (found !== null && found[1] === scriptName) {
            const place = originOf(Number(found[2]), Number(found[3]));
            const mark = place.text === undefined ? "" : `\n    ${place.text}\n    ${" ".repeat(place.column - 1)}^`;
            return `${place.file}:${place.line}:${place.column}: error: ${head}${mark}`;
        }
    }
    return `${scriptName}: error: ${head}`;
};
