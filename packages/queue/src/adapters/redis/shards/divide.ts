/**
 * Divides a whole number among those who want some of it: equal parts, but nobody gets more than wanted while others want more; what nobody wants is dealt out equally.
 * Where it does not come out even, `turn` says who is first, so that over many divisions everybody is.
 */
export function divide(total: number, wanted: readonly number[], turn: number): number[] {
  const shares = wanted.map(() => 0);
  const order = wanted.map((_, index) => (index + turn) % wanted.length);
  let left = total;
  for (;;) {
    const open = order.filter((index) => (shares[index] ?? 0) < (wanted[index] ?? 0));
    if (left <= 0 || open.length === 0) break;
    const each = Math.max(1, Math.floor(left / open.length));
    for (const index of open) {
      const more = Math.min(each, left, (wanted[index] ?? 0) - (shares[index] ?? 0));
      shares[index] = (shares[index] ?? 0) + more;
      left -= more;
    }
  }
  const rest = Math.max(0, left);
  const each = Math.floor(rest / wanted.length);
  const over = rest - each * wanted.length;
  for (const [place, index] of order.entries()) shares[index] = (shares[index] ?? 0) + each + (place < over ? 1 : 0);
  return shares;
}
