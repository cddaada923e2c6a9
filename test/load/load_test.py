"""Workers under load. Goal: many workers share a queue evenly and run each task once; killing a worker loses and
doubles nothing; slots hold; a cache keeps to its byte budget. Method: loads.py at a small size, on the server of this run.
"""
import asyncio
import unittest

import harness
import loads

MIB = 1 << 20


class LoadTest(unittest.IsolatedAsyncioTestCase):
    def setUp(self):
        asyncio.get_event_loop().set_debug(False)
        self.address = harness.shared_address()
        self.size = 1 if harness.is_real() else 2

    async def test_workers_of_a_queue_share_it_evenly_and_run_each_task_once(self):
        for processes, queues in ((1, 1), (2, 1), (4, 2)):
            counts, _ = await loads.scale(self.address, processes, queues, 20 * self.size * queues)
            with self.subTest(processes=processes, queues=queues):
                self.assertGreater(min(counts), sum(counts) / len(counts) / 3, counts)

    async def test_workers_take_what_their_queue_has_and_without_one_nothing_runs(self):
        load = await loads.Loads.on(self.address)
        self.addCleanup(load.end)
        orders, payments = harness.unique("orders"), harness.unique("payments")
        waiting = [await load.start("NotesWorkflow", 4, 1, queue=queue) for queue in (orders, payments)]
        await asyncio.sleep(0.3)
        for handle in waiting:
            self.assertEqual((await handle.describe()).history_length, 2)  # started, and a task scheduled
        machines = [load.worker(queue) for queue in (orders, orders, payments)]
        self.assertEqual([await load.result(handle) for handle in waiting], [4, 4])
        ran = load.ran()
        for key, pids in ran.items():
            of_payments = key.startswith(waiting[1].id)
            self.assertEqual(pids[0] == machines[2].pid, of_payments, key)
        self.assertEqual(len(ran), 8)

    @unittest.skipIf(harness.is_real(), "takes a minute there")
    async def test_a_worker_that_is_killed_every_second_loses_and_doubles_nothing(self):
        ended, kills = await loads.restarts(self.address, 10)
        self.assertEqual(kills, 10)
        self.assertGreaterEqual(ended, 8)

    async def test_never_more_activities_than_slots(self):
        most, _ = await loads.slots(self.address, 100 if harness.is_real() else 1000, 10, workflows=4, ms=5)
        self.assertLessEqual(most, 10)
        self.assertGreater(most, 1)

    @unittest.skipIf(harness.is_real(), "takes a minute there")
    async def test_a_cache_keeps_to_its_budget_and_what_it_dropped_comes_back(self):
        count = 1000
        idle, full, evicted, _ = await loads.cached(self.address, count, 1 << 40)
        self.assertEqual(evicted, 0)
        takes = (full - idle) * 1024 / count
        idle, full, evicted, _ = await loads.cached(self.address, count, 3 * MIB)
        counted = 3 * MIB / (count - evicted)
        print(f"a workflow takes {takes:.0f} bytes and is counted at {counted:.0f}")
        if not harness.is_sanitized():
            self.assertLess(full - idle, 6 * 1024)
            self.assertGreater(counted, takes * 0.7)  # the process takes something for itself, too
            self.assertLess(counted, takes * 1.2)


if __name__ == "__main__":
    harness.main()
