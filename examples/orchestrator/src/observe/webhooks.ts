import type { Observability } from '@millrace/observability';

/** Counts deliveries of the forge by what became of them. `receive` says by `onStored` that one was new. */
export function countDeliveries(
  { runs }: Observability,
  receive: (request: Request, onStored: () => void) => Promise<Response>,
): (request: Request) => Promise<Response> {
  return async (request) => {
    let fresh = false;
    try {
      const response = await receive(request, () => {
        fresh = true;
      });
      runs.webhooks.add(1, fresh ? 'accepted' : 'duplicate');
      return response;
    } catch (error) {
      const { status } = error as { readonly status?: unknown };
      if (status === 401) runs.webhooks.add(1, 'unauthentic');
      else if (status === 400 || status === 413) runs.webhooks.add(1, 'malformed');
      throw error;
    }
  };
}
