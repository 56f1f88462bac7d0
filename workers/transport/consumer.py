"""The worker's end of the spectra topic: joins the group, reads records, goes back to what is committed.

The textbook loop loses records with this client after a rebalance, since it keeps the position of partitions
it retains: records that were read and dropped are never read again. So every epoch begins by seeking *all*
owned partitions to their committed offsets, and nothing that was read in an older epoch is ever committed.
"""

from __future__ import annotations

from spectraq.workers.operations.watchdog import Watchdog
from spectraq.workers.settings import Settings
from spectraq.workers.transport.epoch import Epoch
from spectraq.workers.transport.group_member import GroupMember
from spectraq.workers.transport.group_options import Role
from spectraq.workers.transport.seals import Seals


class Consumer(GroupMember):
    """A member of the group of workers.

    Parameters
    ----------
    settings
        The settings in force; the worker's slot is the static name in the group.
    epoch, watchdog
        As of `GroupMember`.

    Raises
    ------
    UnreachableError
        Where the broker does not answer.

    Attributes
    ----------
    seals
        Which of the batches that were fetched are unpacked.
    """

    def __init__(self, settings: Settings, epoch: Epoch, watchdog: Watchdog) -> None:
        worker = settings.worker
        role = Role("consumer", worker.slot, settings.kafka.group_id, worker.batch_spectra, static=True)
        super().__init__(settings.kafka, role, settings.topics.of_spectra, epoch, watchdog)
        self._priority = settings.topics.priority
        self.seals = Seals(self._client, epoch)

    def hold(self, full: bool, urgent_too: bool = True) -> None:
        """Stop or go on fetching; a rebalance forgets what was on hold, so this is said in every turn.

        Parameters
        ----------
        full
            Whether enough is in hand.
        urgent_too
            Whether that, or a limit of their own, holds for urgent spectra, too.
        """
        assignment = self.assignment
        urgent = {partition for partition in assignment if self.urgent(partition.topic)}
        self.fetch_all_but((assignment - urgent if full else set()) | (urgent if urgent_too else set()))

    def urgent(self, topic: str) -> bool:
        """Return whether this is the topic whose spectra go first."""
        return topic == self._priority
