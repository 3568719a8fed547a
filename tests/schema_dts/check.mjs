// Check pages' JSON-LD against schema.org's types: `node check.mjs < page.jsonld`, or a JSON array of pages.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const packages = join(import.meta.dirname, "node_modules");
const folder = mkdtempSync(join(tmpdir(), "schema-dts-"));
const files = [JSON.parse(readFileSync(0, "utf8"))].flat().map((page, place) => {
  const name = `page-${place}.ts`;
  const text = `export const page: WithContext<MedicalWebPage> = ${JSON.stringify(page, null, 2)};\n`;
  writeFileSync(join(folder, name), `import type { MedicalWebPage, WithContext } from "schema-dts";\n${text}`);
  return name;
});
const compilerOptions = {
  strict: true,
  noEmit: true,
  module: "esnext",
  moduleResolution: "bundler",
  types: [],
  paths: { "schema-dts": [join(packages, "schema-dts")] },
};
writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions, files }));
const tsc = join(packages, ".bin", "tsc");
const { status } = spawnSync(tsc, ["--project", folder, "--pretty", "false"], { stdio: "inherit" });
rmSync(folder, { recursive: true });
process.exit(status ?? 1);
