/**
 * The files that operators install say what the code says: settings, ports, paths, metrics and times
 * are the real ones, and every alarm has its page in the runbook. Whether they are well-formed, others
 * judge: operations-judges.test.ts.
 */
import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { metricsOf } from '../../server/api/metrics.ts';
import { settings } from '../../server/config-table.ts';
import { createPulse } from '../../server/engine/pulse.ts';
import { systemClock } from '../../server/runtime/clock.ts';
import { zeroCensus, zeroStats } from '../api/memory-coordinator.ts';
import { anchors } from '../support/markdown.ts';

const root = join(import.meta.dirname, '..', '..');
const folder = join(root, 'docs', 'operations');
const read = (name: string): string => readFileSync(join(folder, name), 'utf8');
const run = promisify(execFile);

/** Plain data of a YAML file, document by document; anchors and merges are resolved. */
function documents(name: string): readonly unknown[] {
  return parseAllDocuments(read(name), { merge: true }).map((document) => {
    expect(document.errors).toEqual([]);
    return document.toJS() as unknown;
  });
}

const environment = new Set(Object.values(settings).map(({ env }) => env as string));

describe('settings', () => {
  // Of compose itself, for people who start it.
  const ofCompose = ['BASE_IMAGE', 'IMAGE', 'LOG_PASSWORD', 'POSTGRES_IMAGE', 'TOKENS_FILE'];
  const known = new Set([...environment, ...[...ofCompose, 'URL'].map((name) => `SETTLE_${name}`)]);
  const files = ['settle.service', 'Dockerfile', 'compose.yaml', 'kubernetes.yaml'];
  test.each([...files, 'README.md', 'runbook.md'])('of %s are settings', (name) => {
    const named = [...read(name).matchAll(/\bSETTLE_[A-Z_]*[A-Z]/g)].map(([word]) => word);
    expect(named.filter((word) => !known.has(word))).toEqual([]);
  });
});

describe('metrics', () => {
  const looked = {
    ...{ census: zeroCensus, pulse: createPulse(systemClock()).report() },
    ...{ lockWaits: 0, eventStreams: 0, nowMs: 0 },
    callsQueued: { channel: 0, http: 0 },
  };
  const known = new Set(
    metricsOf(zeroStats, [], looked).flatMap(({ name, type }) =>
      type === 'histogram' ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name],
    ),
  );
  test.each(['alerts.yaml', 'dashboard.json'])('of %s are shown by /metrics', (name) => {
    const named = [...read(name).matchAll(/\b(settle|process)_[a-z_]+\b/g)].map(([word]) => word);
    expect(named.length).toBeGreaterThan(10);
    expect(named.filter((word) => !known.has(word))).toEqual([]);
  });

  test('alerts: each has an expression, a severity, and its heading in the runbook', () => {
    const [file] = documents('alerts.yaml') as [{ groups: { rules: Alert[] }[] }];
    const rules = file.groups.flatMap((group) => group.rules);
    expect(rules.length).toBeGreaterThan(8);
    const headings = anchors(read('runbook.md'));
    for (const { alert, expr, labels, annotations } of rules) {
      expect(balance(expr), alert).toBe(0);
      expect(['page', 'ticket'], alert).toContain(labels.severity);
      expect(annotations.runbook).toBe(`docs/operations/runbook.md#${alert.toLowerCase()}`);
      expect(headings, alert).toContain(alert.toLowerCase());
    }
  });

  test('each reason of attention has its heading in the runbook', () => {
    const headings = anchors(read('runbook.md'));
    const source = readFileSync(join(root, 'client-sdk', 'protocol', 'words.ts'), 'utf8');
    const [, union = ''] = /interface Attention \{\s+readonly reason: ([^;]+);/.exec(source) ?? [];
    const reasons = [...union.matchAll(/'(\w+)'/g)].map(([, reason]) => reason);
    expect(reasons.length).toBeGreaterThan(2);
    for (const reason of reasons) expect(headings).toContain(`attention-${reason}`);
  });

  test('dashboard: ids are unique, panels do not overlap, and each query is balanced', () => {
    const { panels } = JSON.parse(read('dashboard.json')) as { panels: Panel[] };
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
    const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) => {
      expect(x + w).toBeLessThanOrEqual(24);
      return Array.from({ length: w * h }, (_, i) => `${x + (i % w)},${y + Math.floor(i / w)}`);
    });
    expect(new Set(cells).size).toBe(cells.length);
    for (const { expr } of panels.flatMap(({ targets = [] }) => targets)) {
      expect(balance(expr), expr).toBe(0);
    }
  });
});

interface Alert {
  readonly alert: string;
  readonly expr: string;
  readonly labels: { readonly severity: string };
  readonly annotations: { readonly runbook: string };
}

interface Panel {
  readonly id: number;
  readonly gridPos: Readonly<Record<'x' | 'y' | 'w' | 'h', number>>;
  readonly targets?: readonly { readonly expr: string }[];
}

/** Brackets that were opened and not closed; -1 when one closes what another has opened. */
function balance(expr: string): number {
  const closing: Readonly<Record<string, string>> = { '(': ')', '[': ']', '{': '}' };
  const open: string[] = [];
  for (const [character] of expr.replaceAll(/"[^"]*"/g, '').matchAll(/[()[\]{}]/g)) {
    const end = closing[character];
    if (end !== undefined) open.push(end);
    else if (open.pop() !== character) return -1;
  }
  return open.length;
}

const graceSeconds = settings.stopGraceMs.fallback({ hostname: '', given: {} }) / 1_000;

test('Dockerfile: its sources are there, it ends as nobody, it asks its health by node', () => {
  const lines = read('Dockerfile').replaceAll(/\\\n/g, ' ').split('\n');
  const of = (word: string) => lines.filter((line) => line.startsWith(`${word} `));
  for (const line of of('COPY').filter((copy) => !copy.includes('--from='))) {
    for (const source of line.split(/\s+/).slice(1, -1)) {
      expect(existsSync(join(root, source)), source).toBe(true);
    }
  }
  // Nothing comes from elsewhere than the base, and the image starts from it anew.
  const froms = of('FROM').map((line) => line.replaceAll(/[${}]/g, ''));
  const stages = froms.map((line) => /^FROM (\S+)(?: AS (\w+))?$/.exec(line) ?? []);
  const known = ['BASE', ...stages.map(([, , name]) => name)];
  for (const [line, source] of stages) expect(known, line).toContain(source);
  expect(stages.at(-1)?.slice(1)).toEqual(['BASE', undefined]);
  expect(of('USER')).toEqual(['USER 10001:10001']);
  const [, main = ''] = /"node", "\/opt\/settle\/([^"]+)"/.exec(of('ENTRYPOINT')[0] ?? '') ?? [];
  expect(existsSync(join(root, main))).toBe(true);
  expect(of('HEALTHCHECK')[0]).toMatch(/CMD \["node", .*\/healthz/);
  expect(read('Dockerfile')).not.toMatch(/curl|wget|apt-get/);
  const kept = read('Dockerfile.dockerignore').matchAll(/^!(.+)$/gm);
  for (const [, path = ''] of kept) expect(existsSync(join(root, path)), path).toBe(true);
});

test('the health check of the image is a program that runs', async () => {
  const [, program = ''] = /"-e", "([^"]+)"/.exec(read('Dockerfile')) ?? [];
  const env = { PATH: process.env['PATH'] ?? '', SETTLE_PORT: '9' };
  await expect(run(process.execPath, ['-e', program], { env })).rejects.toMatchObject({ code: 1 });
});

test('compose: the log is durable, the coordinator comes after it and is stopped in time', () => {
  const [file] = documents('compose.yaml') as [{ services: Record<string, Service> }];
  const { log, settle, migrate } = file.services;
  expect(log?.command).toContain('synchronous_commit=on');
  expect(settle?.depends_on).toEqual({ migrate: { condition: 'service_completed_successfully' } });
  expect(migrate?.depends_on).toEqual({ log: { condition: 'service_healthy' } });
  expect(settle?.environment['SETTLE_LOG']).toBe(migrate?.environment['SETTLE_LOG']);
  expect(Number.parseInt(settle?.stop_grace_period ?? '', 10)).toBeGreaterThan(graceSeconds);
  expect(settle?.ports).toEqual(['127.0.0.1:7400:7400']);
});

interface Service {
  readonly command?: readonly string[];
  readonly depends_on: unknown;
  readonly environment: Readonly<Record<string, string>>;
  readonly stop_grace_period?: string;
  readonly ports?: readonly string[];
}

test('kubernetes: one replica, probes of ours, labels that select, a grace that is long enough', () => {
  const objects = documents('kubernetes.yaml') as K8sObject[];
  const kind = (name: string) => objects.find((each) => each.kind === name)?.spec ?? {};
  const deployment = kind('Deployment') as unknown as Deployment;
  const { replicas, strategy, selector, template } = deployment;
  expect([replicas, strategy.type]).toEqual([1, 'Recreate']);
  expect(template.metadata.labels).toEqual(selector.matchLabels);
  expect(kind('Service')['selector']).toEqual(selector.matchLabels);
  expect(kind('PodDisruptionBudget')['selector']).toEqual(selector);
  const [container] = template.spec.containers;
  expect(container?.ports).toEqual([{ name: 'http', containerPort: 7400 }]);
  expect(container?.livenessProbe.httpGet).toEqual({ path: '/healthz', port: 'http' });
  expect(container?.readinessProbe.httpGet).toEqual({ path: '/readyz', port: 'http' });
  expect(template.spec.terminationGracePeriodSeconds).toBeGreaterThan(graceSeconds);
  expect(template.spec.securityContext).toMatchObject({ runAsNonRoot: true, runAsUser: 10_001 });
  const names = template.spec.volumes.map(({ name }) => name);
  for (const { name } of container?.volumeMounts ?? []) expect(names).toContain(name);
});

interface K8sObject {
  readonly kind: string;
  readonly spec?: Readonly<Record<string, unknown>>;
}

interface Probe {
  readonly httpGet: { readonly path: string; readonly port: string };
}

interface Deployment {
  readonly replicas: number;
  readonly strategy: { readonly type: string };
  readonly selector: { readonly matchLabels: object };
  readonly template: {
    readonly metadata: { readonly labels: object };
    readonly spec: {
      readonly terminationGracePeriodSeconds: number;
      readonly securityContext: object;
      readonly volumes: readonly { readonly name: string }[];
      readonly containers: readonly {
        readonly ports: readonly object[];
        readonly livenessProbe: Probe;
        readonly readinessProbe: Probe;
        readonly volumeMounts: readonly { readonly name: string }[];
      }[];
    };
  };
}

test('systemd: a fenced coordinator stays down, and a stop waits for its grace', () => {
  const value = (key: string) => new RegExp(`^${key}=(.*)$`, 'm').exec(read('settle.service'))?.[1];
  expect(value('RestartPreventExitStatus')?.split(' ')).toContain('75');
  expect(Number(value('TimeoutStopSec'))).toBeGreaterThan(graceSeconds);
  expect([value('DynamicUser'), value('ProtectSystem'), value('NoNewPrivileges')]).toEqual([
    'yes',
    'strict',
    'yes',
  ]);
});
