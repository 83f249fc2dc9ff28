/** One rule for every entry of layers.json, and the rules that hold for all folders. */
const layers = require('./layers.json')

const tests = '\\.test\\.ts$'

module.exports = {
  forbidden: [
    { name: 'no-circular', severity: 'error', from: {}, to: { circular: true } },
    ...Object.entries(layers).map(([folder, may]) => ({
      name: `${folder}-may-import-only-${may.join('+') || 'nothing'}`,
      severity: 'error',
      from: { path: `^src/${folder}/` },
      to: { path: '^src/', pathNot: [`^src/${folder}/`, ...may.map((name) => `^src/${name}/`)] },
    })),
    {
      name: 'only-through-index',
      severity: 'error',
      from: { path: '^src/([^/]+)/' },
      // content.ts is what the reader child may see of intake: it loads no database driver into a process that has none
      to: { path: '^src/([^/]+)/', pathNot: ['^src/$1/', '^src/[^/]+/index\\.ts$', '^src/intake/content\\.ts$'] },
    },
    {
      name: 'pure-folders-do-no-io',
      comment: 'parse, extract and analyze work on the bytes they are handed: no disk, network or processes.',
      severity: 'error',
      from: { path: '^src/(parse|extract|analyze)/', pathNot: tests },
      to: {
        dependencyTypes: ['core'],
        path: '^(node:)?(fs|net|tls|http|https|http2|dgram|dns|child_process|cluster)(/|$)',
      },
    },
    {
      name: 'sources-do-not-import-tests-or-tools',
      severity: 'error',
      from: { path: '^src/', pathNot: tests },
      to: { path: ['^(test|bench|scripts|web)/', tests] },
    },
    { name: 'resolvable', severity: 'error', from: { path: '^src/' }, to: { couldNotResolve: true } },
    {
      name: 'no-development-dependencies-in-the-product',
      severity: 'error',
      from: { path: '^src/', pathNot: tests },
      to: { dependencyTypes: ['npm-dev'] },
    },
  ],
  options: {
    // Named, because a parser that cannot read TypeScript finds no imports and reports no problem.
    parser: 'swc',
    tsPreCompilationDeps: true,
    doNotFollow: { path: 'node_modules' },
    enhancedResolveOptions: {
      extensions: ['.ts', '.tsx'],
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'types'],
    },
  },
}
