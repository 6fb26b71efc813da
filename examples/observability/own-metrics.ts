// A metric of your own, with its labels checked by types and its series bounded.
import { createObservability, defineMetric } from '@millrace/observability';

await using obs = createObservability({ service: 'shop', log: false, metrics: { maxSeries: 3 } });

const { checkout } = obs.register({
  checkout: defineMetric({
    name: 'shop_checkout_seconds',
    type: 'histogram',
    unit: 'seconds',
    help: 'Time of a checkout.',
    labels: ['country'],
    buckets: [0.1, 1, 5],
    advice: 'Look at the payment provider of that country.',
  }),
});

for (const country of ['at', 'ch', 'de', 'fr', 'it']) checkout.observe(0.5, country);

const response = await obs.fetchHandler(new Request('http://localhost/metrics'));
const lines = (await response.text()).split('\n');
for (const line of lines) if (/^(shop_checkout_seconds_count|millrace_metrics_overflow)/.test(line)) console.log(line);
