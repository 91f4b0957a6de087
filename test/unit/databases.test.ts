/** Which server a test gets: the order of the sources, and what becomes of those that fail. */
import { afterEach, expect, it, vi } from 'vitest';
import { provide, type Source, type Started, skipSuite, sources } from '../support/databases.ts';

afterEach(() => {
  vi.unstubAllEnvs();
});

/** A source that writes down that it was asked. */
function source(name: Source['name'], asked: string[], answer: Started | string | Error): Source {
  return {
    name,
    async start() {
      asked.push(name);
      if (answer instanceof Error) throw answer;
      return answer;
    },
  };
}

const started: Started = { url: 'postgres://h/db', control: null, stop: async () => undefined };

it('tries environment, then container, then program', () => {
  expect(sources.map((each) => each.name)).toEqual(['environment', 'container', 'program']);
});

it('takes the first source that works and asks no other', async () => {
  const asked: string[] = [];
  const given = await provide('postgres', {}, [
    source('environment', asked, 'not set'),
    source('container', asked, started),
    source('program', asked, started),
  ]);
  expect(given).toMatchObject({ kind: 'provided', source: 'container', url: started.url });
  expect(asked).toEqual(['environment', 'container']);
});

it('goes on to the next source when one fails to start', async () => {
  const asked: string[] = [];
  const given = await provide('mysql', {}, [
    source('container', asked, new Error('no such image')),
    source('program', asked, started),
  ]);
  expect(given).toMatchObject({ kind: 'provided', source: 'program' });
});

it('never gives the server of the environment to a test that will kill it', async () => {
  const asked: string[] = [];
  const given = await provide('redis', { needsOwn: true }, [
    source('environment', asked, started),
    source('program', asked, 'not installed'),
  ]);
  expect(asked).toEqual(['program']);
  expect(given).toEqual({ kind: 'skipped', reason: 'no redis server (program: not installed)' });
});

it('takes the URL from the environment and leaves that server alone', async () => {
  vi.stubEnv('SETTLE_TEST_POSTGRES_URL', 'postgres://somebody@example.invalid/db');
  const given = await provide('postgres');
  expect(given).toMatchObject({ source: 'environment', control: null });
  if (given.kind === 'provided') await given.stop();
});

it('says every reason when nothing works', async () => {
  const given = await provide('postgres', {}, [
    source('environment', [], 'not set'),
    source('container', [], 'no Docker daemon answers'),
    source('program', [], new Error('the server ended (1)')),
  ]);
  expect(given).toEqual({
    kind: 'skipped',
    reason:
      'no postgres server (environment: not set; container: no Docker daemon answers; ' +
      'program: Error: the server ended (1))',
  });
});

it('stops a server once, however often it is asked to', async () => {
  let stops = 0;
  const stop = async () => {
    stops += 1;
  };
  const given = await provide('postgres', {}, [source('program', [], { ...started, stop })]);
  if (given.kind !== 'provided') throw new Error(given.reason);
  await Promise.all([given.stop(), given.stop()]);
  expect(stops).toBe(1);
});

it('fails instead of skipping in continuous integration', () => {
  vi.stubEnv('CI', 'true');
  expect(() => skipSuite('postgres', 'no server')).toThrow('SKIPPED under CI: postgres: no server');
});
