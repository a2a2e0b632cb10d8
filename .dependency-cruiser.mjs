/**
 * The one direction of imports: cli -> engine, assurance, development -> sessions, finance, sources, journal -> rating -> formats, with
 * `platform` and `formats` under all of them. A package names what it may import; whatever is not named is an error.
 */
const MAY_IMPORT = {
  cli: [
    'engine',
    'evidence',
    'assurance',
    'finance',
    'sessions',
    'development',
    'sources',
    'journal',
    'generator',
    'rating',
    'platform',
    'formats',
  ],
  development: ['sessions', 'rating', 'platform'],
  engine: ['evidence', 'finance', 'sources', 'journal', 'rating', 'platform', 'formats'],
  assurance: ['sessions', 'sources', 'journal', 'rating', 'platform', 'formats'],
  finance: ['journal', 'rating', 'platform', 'formats'],
  sessions: ['rating', 'platform', 'formats'],
  evidence: ['rating', 'platform', 'formats'],
  sources: ['rating', 'platform', 'formats'],
  journal: ['rating', 'platform', 'formats'],
  generator: ['rating', 'platform', 'formats'],
  rating: ['formats'],
  platform: ['formats'],
  formats: [],
};

/** The packages and modules of the pure core: none does I/O, reads a clock or draws at random. */
const PURE = ['avsc', 'js-yaml', 'luxon', 'zod', 'node:crypto'];

/** Reads the kernel's code, as `import` would. */
const KERNEL_LOADER = '^src/rating/kernel/load-kernel\\.ts$';
/** AssemblyScript, which another compiler builds. */
const KERNEL_SOURCE = '^src/.*/assembly/';

const TESTS = '\\.(test|fixture)\\.ts$';
const source = (room) => `^src/${room}/`;

const directions = Object.entries(MAY_IMPORT).map(([room, others]) => ({
  name: `${room}-imports`,
  comment: `${room} imports ${others.length === 0 ? 'no other package' : others.join(', ')} only`,
  severity: 'error',
  from: { path: source(room), pathNot: TESTS },
  to: { path: '^(src|test|bench)/', pathNot: [room, ...others].map(source) },
}));

/** @type {import('dependency-cruiser').IConfiguration} */
export default {
  forbidden: [
    ...directions,
    {
      name: 'no-cycle',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'rating-is-pure',
      comment: 'the core knows no I/O, clock, random or logger',
      severity: 'error',
      from: { path: source('rating'), pathNot: [TESTS, KERNEL_LOADER] },
      to: {
        dependencyTypesNot: ['local', 'type-only'],
        pathNot: PURE.map((name) => `(^|node_modules/)${name.replace('node:', '')}(/|$)`),
      },
    },
    {
      name: 'shipped-code-needs-no-test-code',
      severity: 'error',
      from: { path: '^src/', pathNot: TESTS },
      to: { path: `^(test|bench)/|${TESTS}` },
    },
    {
      name: 'sibling-sessions',
      comment: 'the companions communicate over the network only: what they share is in sessions/protocol',
      severity: 'error',
      from: { path: '^src/sessions/([^/]+)/', pathNot: TESTS },
      to: { path: '^src/sessions/', pathNot: '^src/sessions/($1|protocol)/' },
    },
    {
      name: 'no-undeclared-package',
      severity: 'error',
      from: { path: '^src/', pathNot: TESTS },
      to: { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown', 'unknown', 'undetermined'] },
    },
  ],
  options: {
    tsPreCompilationDeps: true,
    parser: 'swc',
    moduleSystems: ['es6', 'cjs'],
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'default'] },
    doNotFollow: { path: 'node_modules' },
    exclude: { path: `^(dist|build)/|${KERNEL_SOURCE}` },
  },
};
