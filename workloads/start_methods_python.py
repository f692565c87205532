"""A short task beside a module that takes a moment to import."""

import argparse
import decimal
import email.message
import http.client
import json
import logging
import unittest.mock

_MODULES = (argparse, decimal, email.message, http.client, json, logging, unittest.mock)


def short(index):
    return sum(range(2000)) + index
