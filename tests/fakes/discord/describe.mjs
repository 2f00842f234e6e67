// Puts Discord's description of its REST interface, which a package carries as TypeScript and Zod, back into
// OpenAPI's form, as far as requests and good answers go: node describe.mjs > description.json, with the packages beside this file.
import { readFileSync } from "node:fs";
import ts from "typescript";
import * as z from "zod";
import * as schemas from "discord-api-spec/zod";

const read = (file) =>
  readFileSync(new URL(`./node_modules/discord-api-spec/${file}`, import.meta.url), "utf8");
const source = ts.createSourceFile("types.ts", read("build/discord-api-spec.ts"), ts.ScriptTarget.Latest, true);

const registry = z.registry();
for (const [name, schema] of Object.entries(schemas)) {
  if (name.endsWith("Schema")) registry.add(schema, { id: name.slice(0, -"Schema".length) });
}
const described = z.toJSONSchema(registry, {
  uri: (id) => `#/components/schemas/${id}`,
  io: "input",
  unrepresentable: "any",
  // The package's own pattern takes times in Z alone, where Discord says +00:00.
  override: ({ jsonSchema }) => {
    if (jsonSchema.format === "date-time") delete jsonSchema.pattern;
  },
});

// A type as it is written turned into a JSON schema.
function schema(node) {
  if (ts.isTypeReferenceNode(node)) return { $ref: `#/components/schemas/${node.typeName.getText()}` };
  if (ts.isParenthesizedTypeNode(node)) return schema(node.type);
  if (ts.isArrayTypeNode(node)) return { type: "array", items: schema(node.elementType) };
  if (ts.isUnionTypeNode(node)) return { anyOf: node.types.map(schema) };
  if (ts.isIntersectionTypeNode(node)) return { allOf: node.types.map(schema) };
  if (ts.isTypeLiteralNode(node)) return record(node);
  if (ts.isLiteralTypeNode(node)) {
    if (node.literal.kind === ts.SyntaxKind.NullKeyword) return { type: "null" };
    return { const: JSON.parse(node.getText()) };
  }
  const plain = { string: "string", number: "number", boolean: "boolean" }[node.getText()];
  return plain ? { type: plain } : {};
}

function record(node) {
  const properties = {};
  const required = [];
  for (const member of node.members.filter(ts.isPropertySignature)) {
    const name = member.name.text ?? member.name.getText();
    properties[name] = schema(member.type);
    if (!member.questionToken) required.push(name);
  }
  return { type: "object", properties, ...(required.length ? { required } : {}) };
}

function member(node, name) {
  return node.members.find((one) => one.name && (one.name.text ?? one.name.getText()) === name)?.type;
}

const paths = {};
const table = source.statements.find((one) => ts.isInterfaceDeclaration(one) && one.name.text === "Paths");
for (const path of table.members) {
  const operations = (paths[path.name.text] = {});
  for (const method of path.type.members) {
    const body = member(method.type, "requestBody");
    const query = member(member(method.type, "parameters"), "query");
    const operation = (operations[method.name.getText()] = { parameters: [], responses: {} });
    if (query && ts.isTypeLiteralNode(query)) {
      const { properties, required = [] } = record(query);
      for (const [name, one] of Object.entries(properties)) {
        operation.parameters.push({ in: "query", name, required: required.includes(name), schema: one });
      }
    }
    for (const one of member(method.type, "responses").members) {
      if (!/^2\d\d$/.test(one.name.text)) continue;
      const empty = ["undefined", "null", "never", "void", "unknown"].includes(one.type.getText());
      operation.responses[one.name.text] = empty
        ? {}
        : { content: { "application/json": { schema: schema(one.type) } } };
    }
    if (body && body.kind !== ts.SyntaxKind.UndefinedKeyword) {
      operation.requestBody = { content: { "application/json": { schema: schema(body) } } };
    }
  }
}
const { version } = JSON.parse(read("package.json"));
process.stdout.write(JSON.stringify({ info: { version }, paths, components: described }));
