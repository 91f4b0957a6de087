/** Which addresses a coordinator calls: those that it was told of, as a whole, and no others. */
import { describe, expect, test } from 'vitest';
import { createTargetPolicy } from '../../server/dispatch/target-policy.ts';

describe('the target policy', () => {
  const policy = createTargetPolicy(['http://bank.example:8080', 'HTTPS://Hotel.example']);

  test.each([
    'http://bank.example:8080',
    'http://bank.example:8080/a/b',
    'http://BANK.example:8080/a',
    'https://hotel.example/x',
    'https://hotel.example:443/x',
  ])('allows %s', (url) => {
    expect(policy.allows(url)).toBe(true);
  });

  test.each([
    ['http://bank.example/a', 'allow-list'],
    ['http://bank.example:8081/a', 'allow-list'],
    ['https://bank.example:8080/a', 'allow-list'],
    ['http://hotel.example/a', 'allow-list'],
    ['http://bank.example.evil.test:8080/a', 'allow-list'],
    ['http://169.254.169.254/latest/meta-data', 'allow-list'],
    ['http://bank.example:8080@evil.test/a', 'user'],
    ['http://user@bank.example:8080/a', 'user'],
    ['http://:secret@bank.example:8080/a', 'user'],
    ['http://bank.example:8080/a#b', 'fragment'],
    ['http://bank.example:8080/a#', 'fragment'],
    ['http://bank.example:8080/a?b=1', 'query'],
    ['http://bank.example:8080/a?', 'query'],
    ['ftp://bank.example:8080/a', 'http'],
    ['file:///etc/passwd', 'http'],
    ['javascript:alert(1)', 'http'],
    ['bank.example:8080/a', 'http'],
    ['/a', 'absolute'],
    ['', 'absolute'],
    [`http://bank.example:8080/${'a'.repeat(2_048)}`, '2048'],
  ])('refuses %s', (url, word) => {
    const verdict = policy.allows(url);
    expect(verdict).toContain(word);
    expect(verdict).not.toContain('secret');
  });

  test.each([
    'bank.example',
    'http://bank.example/path',
    'http://u@bank.example',
    'ftp://x',
    'http://x?',
  ])('is not built from %s', (origin) => {
    expect(() => createTargetPolicy([origin])).toThrow('http://host:port');
  });
});
