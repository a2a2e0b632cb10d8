import { withMermaid } from 'vitepress-plugin-mermaid';
import { slugOf } from './slug.ts';

const pages = (folder: string, names: Record<string, string>) =>
  Object.entries(names).map(([name, text]) => ({ text, link: `/${folder}/${name}` }));

/** The sidebar, by reader. */
const SIDEBAR = [
  {
    text: 'Concepts',
    items: pages('concepts', {
      'life-of-a-flow-record': 'The life of a flow record',
      catalogue: 'The catalogue',
      campaigns: 'Campaigns and caps',
      'exactly-once': 'Exactly once',
      'sponsored-sessions': 'Sponsored sessions',
      tags: 'Tags, marks and addresses',
    }),
  },
  {
    text: 'Tutorials',
    items: pages('tutorials', {
      'first-bill': 'Your first bill',
      'kafka-and-clickhouse': 'Kafka and ClickHouse',
      'close-a-month': 'Close a month',
      'sponsored-session': 'A sponsored session',
      'whose-traffic': 'Whose traffic is it?',
    }),
  },
  {
    text: 'Operate',
    items: pages('operate', {
      engine: 'Running the engine',
      'evidence-feeds': 'Address lists as evidence',
      'published-lists': 'Replace a published list',
      campaigns: 'Operating campaigns',
      runbook: 'Run-book',
      security: 'Security and privacy',
      backup: 'Backup and restore',
      upgrading: 'Upgrades',
      capacity: 'Capacity',
      cluster: 'A ClickHouse cluster',
      dispatch: 'Dispatch server',
      proxy: 'Proxy server',
      gateway: 'Gateway simulator',
      terminal: 'Terminal',
    }),
  },
  {
    text: 'Finance',
    items: pages('finance', {
      accounts: 'Accounts and credit limits',
      statements: 'Statements, invoices, proof',
      closing: 'Closing a month',
      fees: 'Fees, commitments and rebates',
      corrections: 'Re-rating and what-if',
      rejections: 'Rejected records',
      queries: 'Query cookbook',
      analysis: 'Views, roles, portal, tools',
      reconciliation: 'Reconciliation',
    }),
  },
  {
    text: 'Reference',
    items: pages('reference', {
      index: 'Overview, exit codes',
      commands: 'Commands',
      configuration: 'Configuration, variables',
      catalogue: 'Catalogue',
      'evidence-configuration': 'Evidence feeds',
      'dispatch-configuration': 'Dispatch configuration',
      'proxy-configuration': 'Proxy configuration',
      'gateway-configuration': 'Gateway configuration',
      reasons: 'Reasons',
      metrics: 'Metrics',
      views: 'Tables and views',
      'flow-records': 'Flow records',
      kafka: 'Topics',
      cdr: 'CDRs',
      goflow2: 'goflow2 (IPFIX)',
      http: 'HTTP interfaces',
      glossary: 'Glossary',
    }),
  },
  {
    text: 'Internals',
    items: [
      ...pages('internals', {
        architecture: 'Architecture',
        performance: 'Speed',
        development: 'Working on it',
        'fault-injection': 'Fault injection',
        'loop-tests': 'Tests of the loop',
      }),
      { text: 'Decisions', link: '/decisions/' },
    ],
  },
];

export default withMermaid({
  title: 'zerorate',
  description: 'A carrier’s zero-rating billing engine',
  rewrites: { 'decisions/README.md': 'decisions/index.md' },
  /** Wide tables take the outline's place. */
  transformPageData: (page) => {
    if (/^reference\/(configuration|catalogue|\w+-configuration|views|metrics)\.md$/.test(page.relativePath))
      page.frontmatter.aside = false;
  },
  markdown: { anchor: { slugify: slugOf } },
  vite: { build: { chunkSizeWarningLimit: 4000 } },
  themeConfig: {
    outline: 'deep',
    search: { provider: 'local' },
    nav: [
      { text: 'Tutorials', link: '/tutorials/first-bill' },
      { text: 'Operate', link: '/operate/engine' },
      { text: 'Finance', link: '/finance/accounts' },
      { text: 'Reference', link: '/reference/' },
    ],
    sidebar: SIDEBAR,
  },
});
