import pytest
import torch


@pytest.fixture(autouse=True, scope="session")
def one_thread():
    """Arrays of tests are too small to share out, and waiting threads are slow on a busy machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
