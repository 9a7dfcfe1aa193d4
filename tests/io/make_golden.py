"""Prints, in hexadecimal, the two event records that tensorboard_test.cpp expects, as TensorBoard's writer makes them.

    python3 -m venv scratch && scratch/bin/pip install tensorboard && scratch/bin/python tests/io/make_golden.py
"""
import io

from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter

EVENTS = [
    Event(wall_time=1000.5, file_version="brain.Event:2"),
    Event(wall_time=1001.25, step=300, summary=Summary(value=[Summary.Value(tag="validation/A1", simple_value=0.75)])),
]
for event in EVENTS:
    file = io.BytesIO()
    RecordWriter(file).write(event.SerializeToString())
    print(file.getvalue().hex())
